// Following the key log: under a person's own name, nothing but what their devices did.
import { LogFollower, type Session } from '$crypto';
import {
  MAX_LEAVES_PER_PAGE,
  type CheckpointAnswer,
  type LeavesPage,
  type ProofAnswer,
} from '$lib/api';
import { fromBlob } from '$lib/blob';
import { sizeOf } from '$lib/device/seen';
import { Failure, failureOf } from '$lib/failure';
import type { Pinned } from '$lib/pinned';
import type { Line } from './line';

/** How old the confirmation of a witness may be, in seconds. */
const MAX_AGE_S = 24 * 60 * 60;
/** How long witnesses may take to confirm what has just changed. */
const CONFIRMED_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 250;

/** Downloads the log and believes it as far as all witnesses confirm it. */
export async function checkLog(
  line: Line,
  session: Session,
  pinned: Pinned,
  stored: string | undefined,
): Promise<{ log: LogFollower; checkpoint: string }> {
  const { log: key, witnesses } = pinned;
  const log =
    witnesses.length > 0
      ? new LogFollower(key, witnesses, witnesses.length)
      : LogFollower.unwitnessed(key);
  if (stored) log.resume(stored);
  const checkpoint = await acceptNewest(line, log);
  log.download(await entries(line, log.size));
  log.checkOwn(session);
  return { log, checkpoint };
}

/** Waits for the witnesses, who may be a moment behind. */
async function acceptNewest(line: Line, log: LogFollower): Promise<string> {
  const until = Date.now() + CONFIRMED_WITHIN_MS;
  for (;;) {
    const { checkpoint } = await line.ask<CheckpointAnswer>('GET', '/transparency/checkpoint');
    if (!checkpoint) throw new Failure('lie', 'The key log is empty.');
    const proof = await consistency(line, log.size, sizeIn(checkpoint));
    try {
      return log.accept(checkpoint, proof, Date.now(), MAX_AGE_S);
    } catch (error) {
      if (failureOf(error).code !== 'unconfirmed' || Date.now() >= until) throw error;
      await new Promise((done) => setTimeout(done, LOOK_EVERY_MS));
    }
  }
}

async function consistency(line: Line, old: number, next: number): Promise<Uint8Array> {
  if (old === 0 || old >= next) return new Uint8Array();
  const path = `/transparency/consistency?old=${old}&new=${next}`;
  const { hashes } = await line.ask<ProofAnswer>('GET', path);
  return joined(hashes.map(fromBlob));
}

async function entries(line: Line, size: number): Promise<Uint8Array> {
  const pages: Uint8Array[] = [];
  for (let from = 0; from < size; from += MAX_LEAVES_PER_PAGE) {
    const limit = Math.min(size - from, MAX_LEAVES_PER_PAGE);
    const path = `/transparency/leaves?from=${from}&limit=${limit}`;
    const { leaves } = await line.ask<LeavesPage>('GET', path);
    pages.push(fromBlob(leaves));
  }
  return joined(pages);
}

/** Nobody believes it yet. */
function sizeIn(checkpoint: string): number {
  const size = sizeOf(checkpoint);
  if (Number.isSafeInteger(size)) return size;
  throw new Failure('lie', 'The key log has a checkpoint without a size.');
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
