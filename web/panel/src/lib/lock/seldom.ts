// Something that happens often and is told of seldom. Times come in; nothing here has a clock.

export class Seldom {
  private last: number;

  /** What happens right after `now` was told already. */
  constructor(
    private readonly everyMs: number,
    now: number,
  ) {
    this.last = now;
  }

  /** Whether it is to be told of again at `now`; if so, that counts as told. */
  isDue(now: number): boolean {
    if (now - this.last < this.everyMs) return false;
    this.last = now;
    return true;
  }
}
