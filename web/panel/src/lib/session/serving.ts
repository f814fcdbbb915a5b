// The worker's side of the conversation with the page.
import init from '$crypto';
import wasm from '../../../.crypto/crypto_wasm_bg.wasm?url';
import type { Tokens } from '$lib/api';
import { Failure, failureOf } from '$lib/failure';
import type { Heard } from './feed';
import type { Answering, Asked, Said } from './protocol';

const say = (what: Said) => self.postMessage(what);

/** Tells the page of new tokens: a locked device goes on with them. */
export const tellTokens = (tokens: Tokens) => say({ tokens });

/** Tells the page what was heard of the server. */
export const tellHeard = (heard: Heard) => say({ heard });

/** Answers the page's calls, in the order in which they come in. */
export function serve<Calls>(calls: Answering<Calls>): void {
  const ready = init({ module_or_path: wasm });
  self.onmessage = async ({ data }: MessageEvent<Asked>) => {
    const { id, name, given } = data;
    try {
      await ready.catch(() => {
        throw new Failure('offline', 'The cryptography could not be loaded.');
      });
      const call = calls[name as keyof Calls] as (...given: unknown[]) => unknown;
      say({ id, result: await call(...given) });
    } catch (thrown) {
      say({ id, failure: failureOf(thrown).toPlain() });
    }
  };
}
