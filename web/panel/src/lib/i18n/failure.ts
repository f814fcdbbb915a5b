// What went wrong, as a person reads it.
import type { Failure } from '$lib/failure';
import { count, filled, find } from './index.svelte';

/** The sentence for a failure: of its code, or else the one that it brought along. */
export function sentence(failure: Failure): string {
  const { code, facts, message } = failure;
  const number = facts['left'] ?? facts['seconds'];
  const key = `failure.${code}`;
  if (number !== undefined && find(`${key}.other`)) return count(key, number);
  const known = find(key);
  return known ? filled(known, facts) : message;
}
