// What went wrong, in one shape: a refusal of the server, of the cryptography, or of the network.

/** Numbers and times that a sentence about a failure needs. */
export type Facts = Record<string, number>;

const ENDS_LOGIN = ['login-needed', 'idle', 'bad-proof'];

/** `code` chooses the sentence that people read; `message` is for who looks into a fault. */
export class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly facts: Facts = {},
  ) {
    super(message);
  }

  /** Whether the server takes this device for nobody any more, until it logs in again. */
  get endsLogin(): boolean {
    return ENDS_LOGIN.includes(this.code);
  }

  /** As it goes through a worker's messages. */
  toPlain(): PlainFailure {
    return { code: this.code, message: this.message, facts: this.facts };
  }
}

export interface PlainFailure {
  code: string;
  message: string;
  facts: Facts;
}

/** The cryptography throws an `Error` with a `code`; whatever else comes is a fault of ours. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof Error) {
    const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : 'internal';
    return new Failure(code, thrown.message);
  }
  return new Failure('internal', String(thrown));
}
