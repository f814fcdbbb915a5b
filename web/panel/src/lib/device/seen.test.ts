import { expect, test } from 'vitest';
import { nothingSeen, together } from './seen';

const head = (seqno: number, hash: number) =>
  new Uint8Array([0, 0, 1, seqno, ...Array(32).fill(hash)]);
const checkpoint = (size: number) => `keys.invalid/keys\n${size}\nhash\n`;

test('an older window takes back nothing that another one has seen', () => {
  const older = {
    head: head(2, 7),
    checkpoint: checkpoint(9),
    named: { night: 'ana' },
    people: { ben: head(1, 7), eva: head(1, 7) },
    rosters: { day: head(3, 7) },
  };
  const newer = {
    head: head(3, 8),
    checkpoint: checkpoint(10),
    named: {},
    people: { ben: head(2, 8), kim: head(1, 8) },
    rosters: { day: head(4, 8), night: head(1, 8) },
  };
  const all = together(newer, older);
  expect(all.head).toEqual(head(3, 8));
  expect(all.checkpoint).toBe(checkpoint(10));
  expect(all.people).toEqual({ ben: head(2, 8), eva: head(1, 7), kim: head(1, 8) });
  expect(all.rosters).toEqual(newer.rosters);
  expect(together(older, newer)).toEqual({ ...all, named: {} });
});

test('who has seen nothing takes what there is', () => {
  const some = { ...nothingSeen(), head: head(1, 7) };
  expect(together(some, nothingSeen()).head).toEqual(head(1, 7));
  expect(together(nothingSeen(), some).head).toEqual(head(1, 7));
});
