import { expect, test } from 'vitest';
import en from '$locales/en.json';

const catalogues = import.meta.glob<Record<string, string>>('../../../../locales/*.json', {
  import: 'default',
  eager: true,
});
const names = (sentence: string) => [...sentence.matchAll(/\{\w+\}/g)].map(String).sort();
/** Languages differ in how many forms they count with. */
const withoutForms = (keys: string[]) =>
  [...new Set(keys.map((key) => key.replace(/\.(zero|one|two|few|many|other)$/, '.*')))].sort();

test.each(Object.entries(catalogues))('%s says everything that English says', (_, catalogue) => {
  expect(withoutForms(Object.keys(catalogue))).toEqual(withoutForms(Object.keys(en)));
  for (const [key, sentence] of Object.entries(catalogue)) {
    const english = (en as Record<string, string>)[key.replace(/\.(zero|two|few|many)$/, '.other')];
    expect(names(sentence), key).toEqual(names(english ?? ''));
    expect(sentence.trim(), key).not.toBe('');
  }
});

test.each([
  ['en', /closed your account/],
  ['es', /se cerró tu cuenta/],
])('whoever was shut out is told in %s that their account may be closed', (code, closed) => {
  const catalogue = catalogues[`../../../../locales/${code}.json`];
  for (const key of ['locked.ended', 'failure.not-allowed', 'failure.login-needed']) {
    expect(catalogue?.[key], key).toMatch(closed);
  }
});
