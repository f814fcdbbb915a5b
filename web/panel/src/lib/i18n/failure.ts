// What went wrong, as a person reads it.
import type { Failure } from '$lib/failure';
import { count, filled, find, say } from './index.svelte';

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
/** Up to here, people wait for seconds. */
const FEW_MINUTES_S = 2 * MINUTE_S;

/** The sentence for a failure: of its code, or else a general one. What it brought along is English. */
export function sentence(failure: Failure): string {
  const { code, facts } = failure;
  const key = `failure.${code}`;
  const seconds = facts['seconds'];
  if (seconds !== undefined && seconds >= HOUR_S && find(`${key}.hours.other`)) {
    return count(`${key}.hours`, Math.ceil(seconds / HOUR_S));
  }
  if (seconds !== undefined && seconds >= FEW_MINUTES_S && find(`${key}.minutes.other`)) {
    return count(`${key}.minutes`, Math.ceil(seconds / MINUTE_S));
  }
  const number = facts['left'] ?? seconds;
  if (number !== undefined && find(`${key}.other`)) return count(key, number);
  const known = find(key);
  return known ? filled(known, facts) : general(failure);
}

function general({ code, facts }: Failure): string {
  const status = facts['status'];
  if (status === undefined) return say('failure.other.here', { code });
  return say(status < 500 ? 'failure.other.refused' : 'failure.other.broken', { code });
}
