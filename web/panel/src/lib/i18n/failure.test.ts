import { expect, test } from 'vitest';
import { type Facts, Failure } from '$lib/failure';
import en from '$locales/en.json';
import description from '../../../../protocol/generated/openapi.json';
import { sentence } from './failure';

const refusals = import.meta.glob<string>('../../../../../crypto/session/src/refusal.rs', {
  query: '?raw',
  import: 'default',
  eager: true,
});
const sources = import.meta.glob<string>(['../../**/*.{ts,svelte}', '!../../**/*.test.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});

test.each([
  [1, 'Wait 1 second before the next try.'],
  [119, 'Wait 119 seconds before the next try.'],
  [121, 'Wait 3 minutes before the next try.'],
  [43_200, 'Wait 12 hours before the next try.'],
])('nobody has to count %i seconds', (seconds, said) => {
  expect(sentence(new Failure('wait', 'too early', { seconds }))).toBe(said);
});

test.each([
  [403, 'The server refused this (code never-heard-of).'],
  [507, 'The server could not do this (code never-heard-of).'],
  [undefined, 'This did not work (code never-heard-of).'],
])(
  'what has no sentence is told of by its class (%s), not in the words of the server',
  (status, said) => {
    const facts: Facts = status ? { status } : {};
    expect(sentence(new Failure('never-heard-of', 'as it came', facts))).toContain(said);
  },
);

/** Codes of the API, of the cryptography as browsers have it, and of the panel itself. */
const refusal = refusals['../../../../../crypto/session/src/refusal.rs'] ?? '';
const codes = {
  api: description.components.schemas.Code.enum,
  cryptography: [...refusal.matchAll(/Self::\w+ => "([a-z-]+)"/g)].map((found) => found[1]),
  panel: Object.values(sources).flatMap((source) =>
    [...source.matchAll(/new Failure\(\s*'([a-z-]+)'/g)].map((found) => found[1]),
  ),
};
/** Only apps have a key store. */
const OF_APPS = ['no-key-store', 'key-store-locked', 'key-store-refused', 'share-missing'];

test.each(Object.entries(codes))('every code of the %s has a sentence', (_, all) => {
  expect(all.length).toBeGreaterThan(10);
  const has = (code = '') => `failure.${code}` in en || `failure.${code}.other` in en;
  expect(all.filter((code) => !has(code) && !OF_APPS.includes(code ?? ''))).toEqual([]);
});
