import { expect, test } from 'vitest';
import { readInvitation, writeInvitation } from './invitation';

const HUB = '0123456789abcdef0123456789abcdef';
const HEAD = 'AAAABBBBCCCCDDDD_-';

test('a link says code, hub and roster', () => {
  const link = `https://panel.example/#join=ABCD-EFGH~${HUB}~${HEAD} \n`;
  expect(readInvitation(link)).toEqual({ code: 'ABCD-EFGH', hub: HUB, rosterHead: HEAD });
});

test('a link that was made here is read', () => {
  const invitation = { code: 'ABCD-EFGH', hub: HUB, rosterHead: HEAD };
  const link = writeInvitation('https://panel.example', invitation);
  expect(readInvitation(link)).toEqual(invitation);
});

test.each(['', 'ABCD-EFGH', `#join=ABCD-EFGH~${HUB}`, `#join=ABCD~${HUB.slice(1)}~${HEAD}`])(
  'what is no link is not taken for one: %s',
  (text) => expect(readInvitation(text)).toBeUndefined(),
);
