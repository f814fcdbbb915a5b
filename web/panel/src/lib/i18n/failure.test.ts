import { expect, test } from 'vitest';
import { Failure } from '$lib/failure';
import { sentence } from './failure';

test.each([
  [1, 'Wait 1 second before the next try.'],
  [119, 'Wait 119 seconds before the next try.'],
  [121, 'Wait 3 minutes before the next try.'],
  [43_200, 'Wait 12 hours before the next try.'],
])('nobody has to count %i seconds', (seconds, said) => {
  expect(sentence(new Failure('wait', 'too early', { seconds }))).toBe(said);
});

test('what has no sentence says what it brought along', () => {
  expect(sentence(new Failure('never-heard-of', 'as it came'))).toBe('as it came');
});
