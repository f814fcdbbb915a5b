// Rules for all components that the compiler does not know.
import { type AST, parse } from 'svelte/compiler';
import { expect, test } from 'vitest';

const sources = import.meta.glob<string>('./**/*.svelte', {
  query: '?raw',
  import: 'default',
  eager: true,
});
const styles = import.meta.glob<string>('./**/*.css', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** What people read that does not come from a catalogue. */
function literals(source: string): string[] {
  const found: string[] = [];
  const seek = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(seek);
    if (typeof node !== 'object' || node === null) return;
    const { type, data, name, value } = node as Record<string, unknown>;
    if (type === 'Text' && /\p{L}/u.test(String(data))) found.push(String(data).trim());
    // Attributes are for machines, except those that are read out.
    if (
      type === 'Attribute' &&
      !['aria-label', 'title', 'alt', 'placeholder', 'label'].includes(String(name))
    )
      return;
    if (type === 'Attribute') return seek(value);
    Object.values(node).forEach(seek);
  };
  const root: AST.Root = parse(source, { modern: true });
  seek(root.fragment);
  return found;
}

test.each(Object.entries(sources))('%s says nothing that cannot be translated', (_, source) =>
  expect(literals(source)).toEqual([]),
);

test('a sentence in the markup is found', () => {
  expect(literals('<p class="row">{x} or not</p><img alt="A cat" />')).toEqual(['or not', 'A cat']);
});

test.each(Object.entries({ ...sources, ...styles }))(
  '%s can be read from right to left',
  (_, source) =>
    expect(source).not.toMatch(
      /(margin|padding|border)-(left|right)|text-align: (left|right)|[^-](left|right):/,
    ),
);

/** Fields whose content a browser may keep and offer to whoever sits there next. */
function rememberedFields(source: string): string[] {
  const found: string[] = [];
  const seek = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(seek);
    if (typeof node !== 'object' || node === null) return;
    const { name, attributes } = node as { name?: string; attributes?: unknown[] };
    if ((name === 'Field' || name === 'input') && attributes) {
      const given = attributes as AST.Attribute[];
      const text = source.slice(given[0]?.start, given.at(-1)?.end);
      const forgets =
        /autocomplete="(off|one-time-code)"|\{\.\.\.pinField\}|type="(file|checkbox)"/.test(text);
      if (!forgets) found.push(text);
    }
    Object.values(node).forEach(seek);
  };
  seek(parse(source, { modern: true }).fragment);
  return found;
}

const forms = Object.entries(sources).filter(([path]) => !path.endsWith('/ui/Field.svelte'));

test.each(forms)('what is typed in %s is kept by no browser', (_, source) =>
  expect(rememberedFields(source)).toEqual([]),
);

test('a field that a browser remembers is found', () => {
  expect(rememberedFields('<Field label="x" autocomplete="nickname" />')).toHaveLength(1);
  expect(rememberedFields('<input type="text" />')).toHaveLength(1);
  expect(rememberedFields('<Field {...pinField} required />')).toEqual([]);
});
