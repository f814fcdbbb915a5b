import { expect, test } from 'vitest';
import { Seldom } from './seldom';

test('of what happens all the time, a part is told', () => {
  const seldom = new Seldom(5000, 0);
  const told = Array.from({ length: 20 }, (_, second) => second * 1000).filter((now) =>
    seldom.isDue(now),
  );
  expect(told).toEqual([5000, 10_000, 15_000]);
});
