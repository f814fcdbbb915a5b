// What is loaded to be shown, and again whenever the panel hears of a change, or where loading has
// failed and may work a while later.
import { untrack } from 'svelte';
import { type Failure, failureOf } from '$lib/failure';
import { panel } from '$lib/panel.svelte';
import { Retry } from '$lib/pause';

export class Fresh {
  failure = $state.raw<Failure>();
  private running: Promise<void> | undefined;
  private stale = false;
  private isShown = true;
  private readonly retry = new Retry();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** To be made where a component begins. */
  constructor(private readonly load: () => Promise<void>) {
    $effect(() => {
      void panel.changes;
      untrack(() => void this.again());
    });
    $effect(() => () => {
      this.isShown = false;
      clearTimeout(this.timer);
    });
  }

  /** Loads; what is asked for while it loads is loaded once more after that. */
  again(): Promise<void> {
    this.stale = true;
    clearTimeout(this.timer);
    this.running ??= this.run().finally(() => (this.running = undefined));
    return this.running;
  }

  private async run(): Promise<void> {
    while (this.stale) {
      this.stale = false;
      try {
        await this.load();
        this.failure = undefined;
        this.retry.reset();
      } catch (thrown) {
        this.failure = failureOf(thrown);
        this.tryLater(this.failure);
      }
    }
  }

  private tryLater(failure: Failure): void {
    const after = this.retry.after(failure, Math.random());
    if (after === undefined || !this.isShown) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.again(), after);
  }
}
