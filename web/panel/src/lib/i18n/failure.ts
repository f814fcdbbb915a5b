// What went wrong, as a person reads it.
import type { Failure } from '$lib/failure';
import { count, filled, find } from './index.svelte';

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
/** Up to here, people wait for seconds. */
const FEW_MINUTES_S = 2 * MINUTE_S;

/** The sentence for a failure: of its code, or else the one that it brought along. */
export function sentence(failure: Failure): string {
  const { code, facts, message } = failure;
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
  return known ? filled(known, facts) : message;
}
