// Links by which people come in. What is after the "#" never goes to a server.
//
// An invitation:   /#join=<code>~<hub>~<how far the hub's roster goes>~<secret>~<keys>
// The first admin: /#begin=<code>~<keys>, as the server prints it at its start.
//
// By the secret, the hub's admins know that who comes in was invited. The keys are what the server is known by, taken from whoever gives the link and not from the
// server.
import type { Entry, Invitation } from './session/entry';

const JOIN = '#join=';
const BEGIN = '#begin=';
const CODE = '([0-9A-Z-]{4,80})';
const SECRET = '(hlinv1[0-9a-z]{40,90})';
const KEYS = '([^~\\s]{16,8000})';
const JOIN_FORM = new RegExp(`^${CODE}~([0-9a-f]{32})~([0-9A-Za-z_-]{16,200})~${SECRET}~${KEYS}$`);
const BEGIN_FORM = new RegExp(`^${CODE}~${KEYS}$`);

export function writeInvitation(origin: string, invitation: Invitation): string {
  const { code, hub, rosterHead, secret, pinned } = invitation;
  return `${origin}/${JOIN}${code}~${hub}~${rosterHead}~${secret}~${encodeURIComponent(pinned)}`;
}

/** Reads a link of either kind, or what follows the address in it. */
export function readLink(text: string): Entry | undefined {
  const [code, hub, rosterHead, secret, invitedTo] = after(JOIN, JOIN_FORM, text);
  if (code && hub && rosterHead && secret && invitedTo) {
    return { by: 'invitation', invitation: { code, hub, rosterHead, secret, pinned: invitedTo } };
  }
  const [first, pinned] = after(BEGIN, BEGIN_FORM, text);
  return first && pinned ? { by: 'bootstrap', code: first, pinned } : undefined;
}

/** Whether it was to be a link, whatever has become of it. */
export const isLink = (text: string): boolean => text.includes(JOIN) || text.includes(BEGIN);

/** The parts of a link, the last of them decoded; none when it is no such link. */
function after(mark: string, form: RegExp, text: string): string[] {
  const at = text.indexOf(mark);
  const parts = at < 0 ? undefined : form.exec(text.slice(at + mark.length).trim())?.slice(1);
  const last = parts?.pop();
  if (!parts || last === undefined) return [];
  try {
    return [...parts, decodeURIComponent(last)];
  } catch {
    return [];
  }
}
