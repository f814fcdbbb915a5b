import { expect, test } from 'vitest';
import { readInvitation } from './invitation';

const HUB = '0123456789abcdef0123456789abcdef';
const HEAD = 'AAAABBBBCCCCDDDD_-';

test('a link says code, hub and roster', () => {
  const link = `https://panel.example/#join=ABCD-EFGH~${HUB}~${HEAD} \n`;
  expect(readInvitation(link)).toEqual({ code: 'ABCD-EFGH', hub: HUB, rosterHead: HEAD });
});

test.each(['', 'ABCD-EFGH', `#join=ABCD-EFGH~${HUB}`, `#join=ABCD~${HUB.slice(1)}~${HEAD}`])(
  'what is no link is not taken for one: %s',
  (text) => expect(readInvitation(text)).toBeUndefined(),
);
