// An invitation as a link: /#join=<code>~<hub>~<how far the hub's roster goes>~<what the inviter
// knows the server by>. What is after the "#" never goes to a server.
import type { Invitation } from './session/client';

const BEGIN = '#join=';
const FORM = /^([0-9A-Z-]{4,80})~([0-9a-f]{32})~([0-9A-Za-z_-]{16,200})~([^~\s]{16,8000})$/;

export function writeInvitation(origin: string, invitation: Invitation): string {
  const { code, hub, rosterHead, pinned } = invitation;
  return `${origin}/${BEGIN}${code}~${hub}~${rosterHead}~${encodeURIComponent(pinned)}`;
}

/** Reads a link, or what follows the address in it. */
export function readInvitation(text: string): Invitation | undefined {
  const at = text.indexOf(BEGIN);
  const found = at < 0 ? null : FORM.exec(text.slice(at + BEGIN.length).trim());
  const [, code, hub, rosterHead, rest] = found ?? [];
  if (!code || !hub || !rosterHead || !rest) return undefined;
  try {
    return { code, hub, rosterHead, pinned: decodeURIComponent(rest) };
  } catch {
    return undefined;
  }
}
