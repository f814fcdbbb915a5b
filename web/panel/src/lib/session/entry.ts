// By which ways people come in, and what the server says of a link before it is used.
import type { InviteOffer, ServerFacts } from '$lib/api';
import { Failure } from '$lib/failure';
import { readPinned, writePinned } from '$lib/pinned';
import { open } from './line';
import { type BuiltIn, isBuiltIn, type Offered } from './roles';

/** What an invitation's link says. */
export interface Invitation {
  code: string;
  hub: string;
  /** How far the hub's roster goes: the server can show no other. */
  rosterHead: string;
  /** By which the hub's admins know who was invited. The server never has it. */
  secret: string;
  /** What the inviter knows the server by. */
  pinned: string;
}

/** By which way a new person comes in. */
export type Entry =
  | {
      by: 'bootstrap';
      code: string;
      /** What the machine itself said that the server is known by, where its link was taken. */
      pinned?: string;
    }
  | { by: 'invitation'; invitation: Invitation };

/** What the link of an entry says that the server is known by. */
export const pinnedBy = (entry: Entry): string | undefined =>
  entry.by === 'invitation' ? entry.invitation.pinned : entry.pinned;

/** Looks ahead: whether this is the server of the link, and whether the code is good. */
export async function lookAhead(entry: Entry): Promise<Offered | undefined> {
  if (entry.by === 'bootstrap') {
    if (entry.pinned !== undefined) await checkServer(entry.pinned);
    return undefined;
  }
  const { hub, hub_name: hubName, role } = await offerOf(entry.invitation);
  return { hub, hubName, role: isBuiltIn(role) ? (role.name as BuiltIn) : undefined };
}

async function checkServer(pinned: string): Promise<void> {
  // One that lies here as well is found out by the log itself; by then the code is used up.
  const itself = readPinned(await serverItself());
  if (itself.log !== readPinned(pinned).log) {
    throw new Failure('other-server', 'The link knows this server by another key.');
  }
}

/** What an invitation is good for. */
export async function offerOf({ code, hub, pinned }: Invitation): Promise<InviteOffer> {
  await checkServer(pinned);
  const offer: InviteOffer = await open('POST', '/invites/offer', { code });
  if (offer.hub === hub) return offer;
  throw new Failure('lie', 'The invitation is good for another hotline than its link says.');
}

/** What a server says of itself, for who has nobody else to ask. */
export async function serverItself(): Promise<string> {
  return writePinned(await open<ServerFacts>('GET', '/server'));
}
