import { describe, expect, test } from 'vitest';
import { Failure } from './failure';
import { Retry, SETTLED_MS, SPREAD_MS, reloadAt, scattered } from './pause';

test('who waits for the same thing waits for another while', () => {
  expect(scattered(1000, 0)).toBe(500);
  expect(scattered(1000, 1)).toBe(1500);
});

describe('what is shown is loaded again after a change', () => {
  test('by each panel at another time', () => {
    expect(reloadAt(5000, 0, 0)).toBe(5000 + SETTLED_MS);
    expect(reloadAt(5000, 0, 1)).toBe(5000 + SETTLED_MS + SPREAD_MS);
  });

  test('once for several changes, and not before the last of them', () => {
    const planned = reloadAt(5000, 0, 0.5);
    expect(reloadAt(5100, planned, 1)).toBe(planned);
    expect(reloadAt(planned - 1, planned, 1)).toBe(planned - 1 + SETTLED_MS);
    expect(reloadAt(planned, planned, 0)).toBe(planned + SETTLED_MS);
  });
});

describe('what failed is tried again', () => {
  test('when the server takes requests again', () => {
    const after = new Retry().after(new Failure('too-many', '', { seconds: 3 }), 0);
    expect(after).toBe(4000);
  });

  test('more seldom each time, and soon after it has worked', () => {
    const retry = new Retry();
    const away = new Failure('offline', '');
    const pauses = Array.from({ length: 7 }, () => retry.after(away, 0.5));
    expect(pauses).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    retry.reset();
    expect(retry.after(new Failure('unavailable', ''), 0.5)).toBe(2000);
  });

  test.each(['not-allowed', 'locked', 'lie', 'internal'])('but not %s', (code) =>
    expect(new Retry().after(new Failure(code, ''), 0.5)).toBeUndefined(),
  );
});
