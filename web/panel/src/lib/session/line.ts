// Requests to the server: open ones, and those that a device signs.
import { API_ROOT, type FeedLogin, PROOF_HEADER, type Problem, type Tokens } from '$lib/api';
import { fromBlob, fromText, toBlob } from '$lib/blob';
import { Failure, type Facts } from '$lib/failure';

/** What signs requests: an unlocked device, or the key with which a locked one looks. */
export interface Signer {
  proveRequest(
    method: string,
    path: string,
    body: Uint8Array,
    token: Uint8Array,
    now: number,
  ): Uint8Array;
}

/** Told whenever the login gets other tokens. */
export type TokensChanged = (tokens: Tokens) => void;

/** How long an answer may take. The server lets a device wait for half of it in a pairing room. */
const WITHIN_MS = 60_000;

const nothing = new Uint8Array();

async function send(
  method: string,
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Response> {
  const init: RequestInit = { method, headers, signal: AbortSignal.timeout(WITHIN_MS) };
  if (body.length > 0) {
    init.body = body as Uint8Array<ArrayBuffer>;
    headers['content-type'] = 'application/json';
  }
  try {
    return await fetch(API_ROOT + path, init);
  } catch {
    throw new Failure('offline', 'The server does not answer.');
  }
}

async function problemOf(response: Response): Promise<Failure> {
  const { status } = response;
  const isProblem = response.headers.get('content-type') === 'application/problem+json';
  if (!isProblem) {
    // Said by a web server in front of ours, which is down then.
    const code = [502, 503, 504].includes(status) ? 'unavailable' : 'internal';
    return new Failure(code, `The server answered ${status}.`, { status });
  }
  const problem = (await response.json()) as Problem;
  const { retry_after_s: seconds } = problem;
  const facts: Facts = seconds ? { status, seconds } : { status };
  return new Failure(problem.code, problem.detail, facts);
}

async function answer<T>(response: Response): Promise<T> {
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

const json = (body: unknown): Uint8Array =>
  body === undefined ? nothing : fromText(JSON.stringify(body));

/** A request that nobody signs. */
export async function open<T>(method: string, path: string, body?: unknown): Promise<T> {
  return answer(await send(method, path, json(body)));
}

/** A signer and the tokens of its login. */
export class Line {
  /** An exchange of the refresh token that is under way: a second one would end the session. */
  private refreshing: Promise<void> | undefined;

  constructor(
    private readonly signer: Signer,
    private tokens: Tokens,
    private readonly changed: TokensChanged,
  ) {}

  /** Sends a signed request; an access token that has ended is renewed once. */
  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const bytes = json(body);
    const response = await this.signed(method, path, bytes, this.tokens.access);
    if (response.ok) return answer(response);
    const failure = await problemOf(response);
    if (failure.code !== 'token-expired') throw failure;
    this.refreshing ??= this.refresh().finally(() => (this.refreshing = undefined));
    await this.refreshing;
    return answer(await this.signed(method, path, bytes, this.tokens.access));
  }

  /** The access token, and that this device asks with it for what is at a path. */
  prove(method: string, path: string): FeedLogin {
    const { access } = this.tokens;
    return { access, proof: this.proof(method, path, nothing, access) };
  }

  private async refresh(): Promise<void> {
    const response = await this.signed('POST', '/session/refresh', nothing, this.tokens.refresh);
    if (!response.ok) {
      const failure = await problemOf(response);
      // Renewed before, when the answer was lost: the server has ended the login.
      throw failure.code === 'spent' ? new Failure('login-needed', failure.message) : failure;
    }
    this.tokens = await answer(response);
    this.changed(this.tokens);
  }

  private signed(method: string, path: string, body: Uint8Array, token: string): Promise<Response> {
    return send(method, path, body, {
      authorization: `Bearer ${token}`,
      [PROOF_HEADER]: this.proof(method, path, body, token),
    });
  }

  private proof(method: string, path: string, body: Uint8Array, token: string): string {
    const now = Date.now();
    return toBlob(this.signer.proveRequest(method, API_ROOT + path, body, fromBlob(token), now));
  }
}
