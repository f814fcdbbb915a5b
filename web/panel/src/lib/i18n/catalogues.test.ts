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
