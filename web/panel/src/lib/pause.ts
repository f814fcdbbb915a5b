// When to ask again. Many panels stand behind one address, hear of the same thing in the same
// instant, and share what the server takes from one address: each waits for another while.
// Times and chance come in; nothing here has a clock.
import type { Failure } from './failure';

/** After the last of several changes. */
export const SETTLED_MS = 300;
/** Within this long, all panels that heard of one change have asked. */
export const SPREAD_MS = 4_000;
/** After the first failure; each time in a row it is twice as long. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;

/** What goes away by itself. */
const PASSES = ['too-many', 'offline', 'unavailable'];

/** From a half to one and a half of `pauseMs`, by `chance` (0 to 1). */
export const scattered = (pauseMs: number, chance: number): number => pauseMs * (0.5 + chance);

/** When to load again after a change that was heard at `now`, and one before that planned `planned`. */
export function reloadAt(now: number, planned: number, chance: number): number {
  const settled = now + SETTLED_MS;
  if (planned <= now) return settled + chance * SPREAD_MS;
  return Math.max(planned, settled);
}

/** Failures in a row, and how long to wait after each. */
export class Retry {
  private pauseMs = FIRST_RETRY_MS;

  /** It worked. */
  reset(): void {
    this.pauseMs = FIRST_RETRY_MS;
  }

  /** After how many milliseconds to try again; nothing where trying alone helps nobody. */
  after({ code, facts }: Failure, chance: number): number | undefined {
    if (!PASSES.includes(code)) return undefined;
    const pauseMs = scattered(this.pauseMs, chance);
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_RETRY_MS);
    // Never before the server takes it.
    return pauseMs + (facts['seconds'] ?? 0) * 1000;
  }
}
