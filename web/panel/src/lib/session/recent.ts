// What was just loaded is good for all who only look at it: one change makes several parts of the
// page look at the same lists. Times come in; nothing here has a clock.

/** So long it counts as new. Short: where no feed tells of changes, it is all that ends it. */
export const RECENT_MS = 10_000;

export class Recent<T> {
  private kept: { loaded: Promise<T>; at: number } | undefined;

  /** What was loaded or is being loaded, where that is new; else what `load` gives. */
  get(now: number, load: () => Promise<T>): Promise<T> {
    if (this.kept && now - this.kept.at < RECENT_MS) return this.kept.loaded;
    return this.set(now, load());
  }

  /** Loaded for another reason: good for who looks, too. */
  set(now: number, loaded: Promise<T>): Promise<T> {
    const kept = { loaded, at: now };
    this.kept = kept;
    loaded.catch(() => {
      if (this.kept === kept) this.kept = undefined;
    });
    return loaded;
  }

  /** Something has changed. */
  end(): void {
    this.kept = undefined;
  }
}
