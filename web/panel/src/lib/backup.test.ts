import { expect, test } from 'vitest';
import { readBackup, writeBackup } from './backup';

const backup = {
  user: 'ab'.repeat(16),
  escrow: 'SExFUw-_',
  pinned: 'hotline.example/log+0123abcd+AbCd',
};
const written = writeBackup('https://panel.example', backup);

test('what was written is read', () => expect(readBackup(written)).toEqual(backup));

test.each([
  '',
  'null',
  '{}',
  written.slice(1),
  written.replace('1,', '2,'),
  written.replace('abab', 'ABxy'),
  written.replace('centralita', 'other'),
])('another file is not taken for one: %s', (text) => expect(readBackup(text)).toBeUndefined());
