// The roles that a hub begins with.
import type { Role } from '$lib/api';

/** The roles that rosters begin with, and what the server lets them do. */
export const BUILT_IN = {
  'hub-admin': { number: 1, admin: true, reviewer: false, permissions: 0xfffn },
  volunteer: { number: 2, admin: false, reviewer: false, permissions: 0b101n },
  reviewer: { number: 3, admin: false, reviewer: true, permissions: 0b101010n },
  reporter: { number: 4, admin: false, reviewer: false, permissions: 0b1n },
} as const;

export type BuiltIn = keyof typeof BUILT_IN;
export const ROLES = Object.keys(BUILT_IN) as BuiltIn[];

/** Somebody who used an invitation and was not taken in yet. */
export interface Waiting {
  user: string;
  role: BuiltIn;
  usedAtMs: number;
}

/** An invitation that was just made. */
export interface Invited {
  invite: string;
  /** To pass on. */
  link: string;
}

/** A hub's invitations. */
export interface Invitations {
  /** The newest first. */
  waiting: Waiting[];
  /** Those that nobody has used. */
  unused: string[];
}

/** What a link offers to whoever has it. */
export interface Offered {
  hub: string;
  hubName: string;
  /** Nothing for a role of the hub's own. */
  role: BuiltIn | undefined;
}

/** A member of a hub, as an admin sees them. */
export interface Member {
  user: string;
  /** Nothing while they have not been here since they were taken in. */
  name: string | undefined;
  /** Nothing for a role of the hub's own. */
  role: BuiltIn | undefined;
}

export const builtIn = (number: number): BuiltIn | undefined =>
  ROLES.find((name) => BUILT_IN[name].number === number);

export const isBuiltIn = (role: Role): boolean => role.name in BUILT_IN;
