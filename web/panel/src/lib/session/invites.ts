// The invitations of a hub, which the server gives page by page.
import type { InviteFacts, Invites } from '$lib/api';

/** Who asks the server. */
interface Asking {
  ask<T>(method: string, path: string): Promise<T>;
}

/** The invitations of a hub, the newest first: as many pages as somebody reads. */
export async function* invitesOf(line: Asking, hub: string): AsyncGenerator<InviteFacts> {
  let path = `/hubs/${hub}/invites`;
  for (;;) {
    const { invites, next } = await line.ask<Invites>('GET', path);
    yield* invites;
    if (!next || invites.length === 0) return;
    path = `/hubs/${hub}/invites?before=${next}`;
  }
}

/** The newest invitation by which somebody came in with this role. */
export async function usedInvite(
  line: Asking,
  hub: string,
  user: string,
  role: string,
): Promise<InviteFacts | undefined> {
  for await (const invite of invitesOf(line, hub)) {
    if (invite.used_by === user && invite.role.name === role) return invite;
  }
  return undefined;
}
