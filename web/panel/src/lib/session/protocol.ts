// What the page and its workers say to each other. Data only: no key crosses here, except the PIN
// as it was typed and a recovery key as it is shown.
import type { PasskeyAttempt, Tokens } from '$lib/api';
import type { PlainFailure } from '$lib/failure';
import type { Paper, Person, Recovery } from './client';
import type { Entry, Invitation } from './entry';
import type { Heard } from './feed';
import type { BuiltIn, Invitations, Invited, Member, Offered } from './roles';

/** What the worker with the keys can do. */
export interface VaultCalls {
  /**
   * Whether this is the server of the link, and its code is good; fails where not. Gives what an
   * invitation is good for.
   */
  lookAhead(entry: Entry): Offered | undefined;
  /** Makes a new person's keys; gives what they must keep before they go on. */
  prepare(pin: string, entry: Entry): Paper;
  /** Asks to be let in with these keys. */
  enter(entry: Entry, name: string, pin: string): Person;
  unlock(pin: string, tokens?: Tokens): Person;
  unlockByPasskey(secret: Uint8Array, tokens?: Tokens): Person;
  recover(found: Recovery, pin: string): Person;
  /** Opens a room as a new device; gives what the other device reads. */
  openRoom(typed: boolean): string;
  /** Waits for the other device; gives the digits to be typed there. */
  roomDigits(): string;
  /** Waits until the other device has let this one in. */
  enterRoom(pin: string): Person;
  /** Meets a new device, whose text was scanned or typed here. */
  joinRoom(text: string, typed: boolean): void;
  /** Lets it in, if these are the digits that it shows. */
  letIn(digits: string): void;
  /** What this device knows the server by: a line for each key, the log's first. */
  pinned(): string;
  /** Takes the key of one more witness, named by somebody beside the server. */
  addWitness(key: string): Person;
  changePin(pin: string): void;
  /** This person's devices, by the list that they have signed. */
  devices(): string[];
  /** Takes another device of this person off their list. */
  takeOff(device: string): void;
  /** Makes another recovery key; gives what must be kept of it before it is put in force. */
  prepareRecoveryKey(): Paper;
  /** Puts it in force, in place of the one before. */
  replaceRecoveryKey(): void;
  /** What a passkey is asked for, to open this device's vault. */
  passkeyInput(): Uint8Array;
  /** What the server asks of a new passkey. */
  beginPasskey(): PasskeyAttempt;
  keepPasskey(attempt: string, credential: string, name: string): void;
  openByPasskey(credential: Uint8Array, input: Uint8Array, secret: Uint8Array): void;
  closeToPasskeys(): void;
  nameViewKey(key: Uint8Array): void;
  beginHub(hub: string): void;
  invite(hub: string, role: BuiltIn): Invited;
  /** Uses an invitation as somebody who is in already. */
  join(invitation: Invitation): void;
  members(hub: string): Member[];
  /** Takes somebody off the list of a hub. */
  removeMember(hub: string, user: string): void;
  /** Lets the admins of this person's hubs read their name. */
  shareName(): void;
  /** Who used an invitation and was not taken in yet, and which ones nobody has used. */
  waiting(hub: string): Invitations;
  admit(hub: string, user: string, role: BuiltIn): void;
  get(path: string): unknown;
  remove(path: string): void;
  logout(): void;
}

/** What the worker of a locked device can do. */
export interface ViewCalls {
  /** Makes a key that opens nothing; gives its public half. */
  create(device: string): Uint8Array;
  /** Goes on with the login of the device. */
  take(tokens: Tokens): void;
  get(path: string): unknown;
  logout(): void;
}

/** The calls of a worker, as their implementation has them. */
export type Answering<Calls> = {
  [Name in keyof Calls]: Calls[Name] extends (...given: infer Given) => infer Result
    ? (...given: Given) => Promise<Result> | Result
    : never;
};

export interface Asked {
  id: number;
  name: string;
  given: unknown[];
}

export type Said =
  | { id: number; result: unknown }
  | { id: number; failure: PlainFailure }
  | { tokens: Tokens }
  | { heard: Heard };
