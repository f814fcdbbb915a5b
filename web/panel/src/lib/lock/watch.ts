// The lock in a browser: signs of the person, what is in sight, and a timer.
import { type Ahead, AutoLock, type Limits, type LockReason } from './auto_lock';
import { Seldom } from './seldom';

const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'click', 'wheel', 'touchstart'] as const;
/** How often the countdown of a warning is shown anew. */
const COUNT_MS = 1000;
/** Timers of a tab out of sight come late; and a machine that slept has missed all of them. */
const LOOK_AT_LEAST_EVERY_MS = 15_000;
/** How far behind other windows may be about when the person was last there. */
const OTHERS_KNOW_WITHIN_MS = 2_000;

export interface Heard {
  /** A warning that begins, counts down, or is over (`undefined`). */
  warning(ahead: Extract<Ahead, { kind: 'warning' }> | undefined): void;
  lock(reason: LockReason): void;
  /** The person is there, in this window or another one; told at most once in `signEveryMs`. */
  sign(): void;
  /** The person is there, in this window; told as often as others must know. */
  signHere(): void;
}

/** Watches until it is stopped or has locked. */
export class Watch {
  private readonly lock: AutoLock;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly told: Seldom;
  private readonly toldOthers: Seldom;

  constructor(
    limits: Limits,
    signEveryMs: number,
    private readonly heard: Heard,
  ) {
    const now = Date.now();
    this.lock = new AutoLock(limits, now);
    this.told = new Seldom(signEveryMs, now);
    this.toldOthers = new Seldom(OTHERS_KNOW_WITHIN_MS, now);
    for (const sign of SIGNS) addEventListener(sign, this.onSign, { passive: true });
    document.addEventListener('visibilitychange', this.onSight);
    this.onSight();
  }

  stop(): void {
    clearTimeout(this.timer);
    for (const sign of SIGNS) removeEventListener(sign, this.onSign);
    document.removeEventListener('visibilitychange', this.onSight);
  }

  /** The person is there, in this window or another one of this browser. */
  handleSign(): void {
    const now = Date.now();
    this.lock.handleSign(now);
    if (this.told.isDue(now)) this.heard.sign();
    this.look();
  }

  private readonly onSign = (): void => {
    if (this.toldOthers.isDue(Date.now())) this.heard.signHere();
    this.handleSign();
  };

  private readonly onSight = (): void => {
    if (document.visibilityState === 'hidden') this.lock.handleHidden(Date.now());
    else this.lock.handleShown(Date.now());
    this.look();
  };

  private look(): void {
    clearTimeout(this.timer);
    const now = Date.now();
    const ahead = this.lock.poll(now);
    if (ahead.kind === 'lock') {
      this.stop();
      this.heard.lock(ahead.reason);
      return;
    }
    this.heard.warning(ahead.kind === 'warning' ? ahead : undefined);
    const wait = ahead.kind === 'warning' ? COUNT_MS : ahead.until - now;
    this.timer = setTimeout(() => this.look(), Math.min(wait, LOOK_AT_LEAST_EVERY_MS));
  }
}
