// The link with which somebody has opened the panel. It leaves the address at once: addresses are
// kept in histories, and shown to whoever looks over a shoulder. Until it is used, the entry of the
// window's own history keeps it, so that a page that is loaded again still knows it.
import { isLink, readLink } from './invitation';
import type { Entry } from './session/entry';

class Arrival {
  /** What it says. */
  link = $state.raw<Entry>();
  /** Whether it was a link, and cannot be read. */
  isBroken = $state(false);
  /** Whether it was used just now: its code is worth nothing any more. */
  isUsed = $state(false);

  /** Reads the address, and what an earlier page has left in this window. */
  take(): void {
    const { hash } = location;
    const state = history.state as { link?: unknown } | null;
    const left = typeof state?.link === 'string' ? state.link : '';
    const text = isLink(hash) ? hash : left;
    if (text === '') return;
    history.replaceState({ link: text }, '', '/');
    this.link = readLink(text);
    this.isBroken = this.link === undefined;
    this.isUsed = false;
  }

  /** It was used; who loads the page again is not told of it. */
  used(): void {
    history.replaceState(null, '', '/');
    this.isUsed = true;
  }

  /** Nobody needs to see it any more. */
  done(): void {
    history.replaceState(null, '', '/');
    this.link = undefined;
    this.isBroken = false;
    this.isUsed = false;
  }
}

export const arrival = new Arrival();
