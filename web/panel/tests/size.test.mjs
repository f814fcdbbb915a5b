// What a volunteer on a slow line waits for.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';

/** Page, scripts, styles and one language, packed, in bytes. */
const FIRST_PAGE_MAX_BYTES = 90_000;
/** The cryptography, packed; it comes while the person types their PIN. */
const CRYPTOGRAPHY_MAX_BYTES = 400_000;

const folder = new URL('../dist/assets/', import.meta.url);
const packed = (pattern) =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .reduce((sum, name) => sum + statSync(new URL(name, folder)).size, 0);

test('the first page is small', () => {
  const bytes = packed(/^(index|vault\.worker|es)-.*\.(js|css)\.gz$/);
  assert.ok(bytes > 10_000 && bytes <= FIRST_PAGE_MAX_BYTES, `${bytes} bytes`);
});

test('the cryptography is no larger than a picture', () => {
  const bytes = packed(/\.wasm\.br$/);
  assert.ok(bytes > 100_000 && bytes <= CRYPTOGRAPHY_MAX_BYTES, `${bytes} bytes`);
});
