// An invitation as a link: /#join=<code>~<hub>~<how far the hub's roster goes>. What is after the
// "#" never goes to a server.
import type { Invitation } from './session/client';

const BEGIN = '#join=';
const FORM = /^([0-9A-Z-]{4,80})~([0-9a-f]{32})~([0-9A-Za-z_-]{16,200})$/;

export function writeInvitation(origin: string, invitation: Invitation): string {
  const { code, hub, rosterHead } = invitation;
  return `${origin}/${BEGIN}${code}~${hub}~${rosterHead}`;
}

/** Reads a link, or what follows the address in it. */
export function readInvitation(text: string): Invitation | undefined {
  const at = text.indexOf(BEGIN);
  const found = at < 0 ? null : FORM.exec(text.slice(at + BEGIN.length).trim());
  const [, code, hub, rosterHead] = found ?? [];
  return code && hub && rosterHead ? { code, hub, rosterHead } : undefined;
}
