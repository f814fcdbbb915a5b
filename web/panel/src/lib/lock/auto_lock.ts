// When an unlocked device locks by itself. Times come in; nothing here has a clock.

/** How long before locking a person is warned. WCAG 2.2.1 asks for 20 seconds at least. */
export const WARNING_MS = 60_000;
/** How long the panel may be out of sight. Long enough to look something up in another tab. */
export const HIDDEN_MS = 60_000;

export type LockReason =
  | 'idle'
  | 'hidden'
  | 'longest'
  | 'by-hand'
  | 'ended'
  | 'half-way'
  /** Another window brought the device. */
  | 'elsewhere';

/** What happens next by itself, and when. */
export type Ahead =
  | { kind: 'open'; until: number }
  | { kind: 'warning'; reason: 'idle' | 'longest'; locksAt: number }
  | { kind: 'lock'; reason: LockReason };

export interface Limits {
  /** Without a sign of the person for this long, in milliseconds. */
  idleMs: number;
  /** However busy, in milliseconds. */
  longestMs: number;
}

/** An unlocked device, from the PIN to the lock. */
export class AutoLock {
  private lastSign: number;
  private hiddenSince: number | undefined;
  private readonly longestAt: number;

  constructor(
    private readonly limits: Limits,
    now: number,
  ) {
    this.lastSign = now;
    this.longestAt = now + limits.longestMs;
  }

  /** The person moved, typed, or asked to stay. */
  handleSign(now: number): void {
    // A machine that slept wakes up with somebody at it: not to be taken for the one who left.
    if (this.poll(now).kind !== 'lock') this.lastSign = now;
  }

  /** The panel went out of sight. */
  handleHidden(now: number): void {
    this.hiddenSince ??= now;
  }

  /** The panel came back into sight. */
  handleShown(now: number): void {
    if (this.poll(now).kind !== 'lock') this.hiddenSince = undefined;
  }

  /** What is due at `now`, or when to ask again. */
  poll(now: number): Ahead {
    const idleAt = this.lastSign + this.limits.idleMs;
    const hiddenAt = this.hiddenSince === undefined ? Infinity : this.hiddenSince + HIDDEN_MS;
    if (now >= this.longestAt) return { kind: 'lock', reason: 'longest' };
    if (now >= hiddenAt) return { kind: 'lock', reason: 'hidden' };
    if (now >= idleAt) return { kind: 'lock', reason: 'idle' };
    const reason = idleAt < this.longestAt ? 'idle' : 'longest';
    const locksAt = Math.min(idleAt, this.longestAt);
    if (now >= locksAt - WARNING_MS) return { kind: 'warning', reason, locksAt };
    return { kind: 'open', until: Math.min(locksAt - WARNING_MS, hiddenAt) };
  }
}
