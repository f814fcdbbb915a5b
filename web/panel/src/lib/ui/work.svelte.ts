// Something that a person asked for, from the click to its end.
import { type Failure, failureOf } from '$lib/failure';

export class Work {
  busy = $state(false);
  failure = $state.raw<Failure>();

  /** Runs one thing at a time; what goes wrong is to be shown with `Trouble`. */
  run = async (what: () => Promise<void>): Promise<void> => {
    if (this.busy) return;
    this.busy = true;
    this.failure = undefined;
    try {
      await what();
    } catch (thrown) {
      this.failure = failureOf(thrown);
    } finally {
      this.busy = false;
    }
  };
}
