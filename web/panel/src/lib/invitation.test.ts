import { expect, test } from 'vitest';
import { isLink, readLink, writeInvitation } from './invitation';

const HUB = '0123456789abcdef0123456789abcdef';
const HEAD = 'AAAABBBBCCCCDDDD_-';
const SECRET = `hlinv1${'q'.repeat(58)}`;
const KEY = 'hotline.example/log+0123abcd+AbCd/+==';

test('an invitation that was made here is read', () => {
  const pinned = `${KEY}\n${KEY}`;
  const invitation = { code: 'ABCD-EFGH', hub: HUB, rosterHead: HEAD, secret: SECRET, pinned };
  const link = writeInvitation('https://panel.example', invitation);
  expect(link).toMatch(/^https:\/\/panel\.example\/#join=\S+$/);
  expect(readLink(` ${link} \n`)).toEqual({ by: 'invitation', invitation });
});

test('the link that the server prints is read', () => {
  const printed =
    'https://panel.example/#begin=ABCD-EFGH~hotline%2Eexample%2Flog%2B0123abcd%2BAbCd%2F%2B%3D%3D%0Aone%2B00000000%2BAA';
  const pinned = `${KEY}\none+00000000+AA`;
  expect(readLink(printed)).toEqual({ by: 'bootstrap', code: 'ABCD-EFGH', pinned });
});

test.each([
  '',
  'ABCD-EFGH',
  '#begin=ABCD-EFGH',
  `#begin=ABCD-EFGH~${HUB}~${encodeURIComponent(KEY)}`,
  `#begin=ABCD-EFGH~%E0%A4%A${'x'.repeat(20)}`,
  `#join=ABCD-EFGH~${HUB}`,
  `#join=ABCD-EFGH~${HUB}~${HEAD}`,
  `#join=ABCD-EFGH~${HUB}~${HEAD}~${encodeURIComponent(KEY)}`,
  `#join=ABCD-EFGH~${HUB}~${HEAD}~${SECRET}~%E0%A4%A${'x'.repeat(20)}`,
  `#join=ABCD~${HUB.slice(1)}~${HEAD}~${SECRET}~${encodeURIComponent(KEY)}`,
])('what is no link is not taken for one: %s', (text) => expect(readLink(text)).toBeUndefined());

test('a link that is broken is told from what is none', () => {
  expect(isLink(`https://panel.example/#join=ABCD-EFGH~${HUB}`)).toBe(true);
  expect(isLink('#begin=')).toBe(true);
  for (const text of ['', '#', 'ABCD-EFGH', '#join']) expect(isLink(text)).toBe(false);
});
