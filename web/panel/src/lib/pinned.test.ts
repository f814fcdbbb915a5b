import { expect, test } from 'vitest';
import { withWitness } from './pinned';

const LOG = 'hotline.example/keys+0123abcd+AbCd/+==';
const ONE = 'partner.example+89abcdef+EfGh/+==';
const TWO = 'friend.example+00112233+IjKl/+==';

test('a witness is added once, to those who are there', () => {
  const one = withWitness({ log: LOG, witnesses: [] }, ` ${ONE}\n`);
  expect(one).toEqual({ log: LOG, witnesses: [ONE] });
  expect(withWitness(one, ONE)).toEqual(one);
  expect(withWitness(one, TWO).witnesses).toEqual([ONE, TWO]);
});

test.each([
  ['', 'no-key'],
  ['partner.example', 'no-key'],
  [`${ONE} ${TWO}`, 'no-key'],
  [LOG, 'no-key'],
  ['hotline.example/keys+ffffffff+AbCd/+==', 'other-server'],
])('what is no key of a witness is refused: %s', (typed, code) => {
  const add = () => withWitness({ log: LOG, witnesses: [] }, typed);
  expect(add).toThrow(expect.objectContaining({ code }) as Error);
});
