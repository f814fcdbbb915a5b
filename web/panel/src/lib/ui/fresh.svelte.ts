// What is loaded to be shown, and again whenever the panel hears of a change.
import { untrack } from 'svelte';
import { type Failure, failureOf } from '$lib/failure';
import { panel } from '$lib/panel.svelte';

export class Fresh {
  failure = $state.raw<Failure>();
  private running: Promise<void> | undefined;
  private stale = false;

  /** To be made where a component begins. */
  constructor(private readonly load: () => Promise<void>) {
    $effect(() => {
      void panel.changes;
      untrack(() => void this.again());
    });
  }

  /** Loads; what is asked for while it loads is loaded once more after that. */
  again(): Promise<void> {
    this.stale = true;
    this.running ??= this.run().finally(() => (this.running = undefined));
    return this.running;
  }

  private async run(): Promise<void> {
    while (this.stale) {
      this.stale = false;
      try {
        await this.load();
        this.failure = undefined;
      } catch (thrown) {
        this.failure = failureOf(thrown);
      }
    }
  }
}
