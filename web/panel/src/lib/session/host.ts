// The page's side of a worker.
import type { Tokens } from '$lib/api';
import { Failure } from '$lib/failure';
import type { Heard } from './feed';
import type { Asked, Said, VaultCalls, ViewCalls } from './protocol';

/** A worker's calls, as the page makes them. */
export type Calling<Calls> = {
  [Name in keyof Calls]: Calls[Name] extends (...given: infer Given) => infer Result
    ? (...given: Given) => Promise<Result>
    : never;
};

/** What a worker says by itself. */
export interface Listener {
  tokens: (tokens: Tokens) => void;
  heard?: (heard: Heard) => void;
}

interface Waiting {
  done: (result: unknown) => void;
  failed: (failure: Failure) => void;
}

/** A worker with its calls. Ending it takes everything that it knows with it. */
export class Hosted<Calls> {
  readonly call: Calling<Calls>;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor(
    private readonly worker: Worker,
    listener: Listener,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Said>) => {
      if ('tokens' in data) return listener.tokens(data.tokens);
      if ('heard' in data) return listener.heard?.(data.heard);
      const waiting = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ('failure' in data) {
        const { code, message, facts } = data.failure;
        waiting?.failed(new Failure(code, message, facts));
      } else waiting?.done(data.result);
    };
    // One that could not be loaded says nothing.
    worker.onerror = ({ message }) =>
      this.fail(message ? new Failure('internal', message) : unreachable());
    this.call = new Proxy({} as Calling<Calls>, {
      get:
        (_, name) =>
        (...given: unknown[]) =>
          this.ask(String(name), given),
    });
  }

  end(): void {
    this.worker.terminate();
    this.fail(new Failure('locked', 'The device was locked.'));
  }

  private fail(failure: Failure): void {
    for (const { failed } of this.waiting.values()) failed(failure);
    this.waiting.clear();
  }

  private ask(name: string, given: unknown[]): Promise<unknown> {
    return new Promise((done, failed) => {
      const id = ++this.last;
      this.waiting.set(id, { done, failed });
      this.worker.postMessage({ id, name, given } satisfies Asked);
    });
  }
}

const unreachable = () => new Failure('stale-page', 'A part of the page could not be loaded.');

export function vaultWorker(listener: Listener): Hosted<VaultCalls> {
  const worker = new Worker(new URL('./vault.worker.ts', import.meta.url), { type: 'module' });
  return new Hosted(worker, listener);
}

export function viewWorker(listener: Listener): Hosted<ViewCalls> {
  const worker = new Worker(new URL('./view.worker.ts', import.meta.url), { type: 'module' });
  return new Hosted(worker, listener);
}
