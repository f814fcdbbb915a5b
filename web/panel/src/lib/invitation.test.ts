import { expect, test } from 'vitest';
import { readInvitation, writeInvitation } from './invitation';

const HUB = '0123456789abcdef0123456789abcdef';
const HEAD = 'AAAABBBBCCCCDDDD_-';
const KEY = 'hotline.example/log+0123abcd+AbCd/+==';

test('a link that was made here is read', () => {
  const pinned = `${KEY}\n${KEY}`;
  const invitation = { code: 'ABCD-EFGH', hub: HUB, rosterHead: HEAD, pinned };
  const link = writeInvitation('https://panel.example', invitation);
  expect(link).toMatch(/^https:\/\/panel\.example\/#join=\S+$/);
  expect(readInvitation(` ${link} \n`)).toEqual(invitation);
});

test.each([
  '',
  'ABCD-EFGH',
  `#join=ABCD-EFGH~${HUB}`,
  `#join=ABCD-EFGH~${HUB}~${HEAD}`,
  `#join=ABCD-EFGH~${HUB}~${HEAD}~%E0%A4%A${'x'.repeat(20)}`,
  `#join=ABCD~${HUB.slice(1)}~${HEAD}~${encodeURIComponent(KEY)}`,
])('what is no link is not taken for one: %s', (text) =>
  expect(readInvitation(text)).toBeUndefined(),
);
