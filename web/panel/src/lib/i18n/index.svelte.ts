// Sentences by key, in the person's language. English is always there; others are loaded.
import en from '$locales/en.json';

export type Key = keyof typeof en;
type Catalogue = Record<Key, string>;
export type Values = Record<string, string | number>;

const others = import.meta.glob<Catalogue>(
  ['../../../../locales/*.json', '!../../../../locales/en.json'],
  { import: 'default' },
);
const codeOf = (path: string) => path.replace(/^.*\/|\.json$/g, '');

/** The languages that there are, by their codes (BCP 47). */
export const LANGUAGES: readonly string[] = ['en', ...Object.keys(others).map(codeOf)].sort();

const current = $state({ language: 'en', catalogue: en as Catalogue });

export const language = (): string => current.language;

/** How times and dates are written: as the browser's person does, where they speak the language. */
export function formats(): string {
  const own = navigator.languages.find((tag) => tag.split('-')[0] === current.language);
  return own ?? current.language;
}

/** Speaks `code` from now on; unknown languages change nothing. */
export async function speak(code: string): Promise<void> {
  const load = Object.entries(others).find(([path]) => codeOf(path) === code)?.[1];
  if (!load && code !== 'en') return;
  const catalogue = load ? await load() : en;
  current.language = code;
  current.catalogue = catalogue;
  document.documentElement.lang = code;
  document.documentElement.dir = isRightToLeft(code) ? 'rtl' : 'ltr';
}

/** The first of the browser's languages that there is. */
export function preferred(wanted: readonly string[]): string {
  const short = wanted.map((code) => code.split('-')[0] ?? code);
  return short.find((code) => LANGUAGES.includes(code)) ?? 'en';
}

const isRightToLeft = (code: string) => ['ar', 'fa', 'he', 'ur'].includes(code);

/** A sentence; `{name}` in it is replaced by a value. */
export function say(key: Key, values: Values = {}): string {
  return filled(current.catalogue[key], values);
}

/** The sentence of `key.one`, `key.other` and so on, for `count`. */
export function count(key: string, count: number, values: Values = {}): string {
  const form = new Intl.PluralRules(current.language).select(count);
  const sentence = find(`${key}.${form}`) ?? find(`${key}.other`) ?? key;
  return filled(sentence, { count, ...values });
}

/** The sentence of a key that may not be there. */
export function find(key: string): string | undefined {
  return (current.catalogue as Record<string, string>)[key];
}

export function filled(sentence: string, values: Values): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
