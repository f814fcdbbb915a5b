import { expect, test } from 'vitest';
import { RECENT_MS, Recent } from './recent';

function counting() {
  let loads = 0;
  const load = () => Promise.resolve(++loads);
  return { recent: new Recent<number>(), load };
}

test('who looks at the same time is given the same', async () => {
  const { recent, load } = counting();
  expect(await Promise.all([recent.get(0, load), recent.get(1, load)])).toEqual([1, 1]);
  expect(await recent.get(RECENT_MS - 1, load)).toBe(1);
  expect(await recent.get(RECENT_MS, load)).toBe(2);
});

test('after a change it is loaded anew', async () => {
  const { recent, load } = counting();
  await recent.get(0, load);
  recent.end();
  expect(await recent.get(1, load)).toBe(2);
  await recent.set(2, load());
  expect(await recent.get(3, load)).toBe(3);
});

test('what could not be loaded is not kept', async () => {
  const { recent, load } = counting();
  await expect(recent.get(0, () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await recent.get(1, load)).toBe(1);
});
