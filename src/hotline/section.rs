//! One table of the file: typed access to its keys, and the keys that nobody asked for.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;

/// A text and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    pub(super) value: &'a str,
    pub(super) span: Range<usize>,
}

/// One table.
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// Where it begins.
    pub(super) span: Range<usize>,
    /// What it is called in a sentence, for example `hub "norte"`.
    pub(super) name: String,
    known: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, span: Range<usize>, name: &str) -> Self {
        Self {
            table,
            span,
            name: name.to_owned(),
            known: BTreeSet::new(),
        }
    }

    /// Whether `key` is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn text(&mut self, key: &'static str, p: &mut Problems) -> Option<Text<'a>> {
        let value = self.take(key)?;
        as_text(value, key, p)
    }

    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        example: &str,
        p: &mut Problems,
    ) -> Option<Text<'a>> {
        if !self.has(key) {
            self.known.insert(key);
            let name = &self.name;
            p.error(
                self.span.clone(),
                format!("{name} has no `{key}`. Add one, for example `{key} = \"{example}\"`."),
            );
        }
        self.text(key, p)
    }

    /// A whole number within `range`; `default` when it is absent or wrong.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
        p: &mut Problems,
    ) -> u32 {
        let Some(value) = self.take(key) else {
            return default;
        };
        let number = match value.get_ref() {
            DeValue::Integer(i) if i.radix() == 10 => i.as_str().parse::<u32>().ok(),
            _ => None,
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        let (low, high) = (range.start(), range.end());
        p.error(
            value.span(),
            format!("`{key}` must be a whole number from {low} to {high}. Write for example `{key} = {default}`."),
        );
        default
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool, p: &mut Problems) -> bool {
        let Some(value) = self.take(key) else {
            return default;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            p.error(
                value.span(),
                format!("`{key}` must be `true` or `false`, without quotes."),
            );
            default
        })
    }

    /// A list of texts; a single text counts as a list of one.
    pub(super) fn texts(&mut self, key: &'static str, p: &mut Problems) -> Vec<Text<'a>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| as_text(item, key, p))
                .collect(),
            DeValue::String(_) => as_text(value, key, p).into_iter().collect(),
            _ => {
                p.error(
                    value.span(),
                    format!("`{key}` must be a list of texts. Write `{key} = [\"…\", \"…\"]`."),
                );
                Vec::new()
            }
        }
    }

    /// Counts `keys` as known without reading them.
    pub(super) fn skip(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// A table within this one.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        name: &str,
        p: &mut Problems,
    ) -> Option<Section<'a>> {
        let value = self.take(key)?;
        as_section(value, key, name, p)
    }

    /// A list of tables: `[[key]]`, or `key = [{ … }]`.
    pub(super) fn sections(&mut self, key: &'static str, p: &mut Problems) -> Vec<Section<'a>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| as_section(item, key, &format!("this {key}"), p))
                .collect(),
            DeValue::Table(_) => {
                p.error(
                    value.span(),
                    format!("there can be several `{key}`. Write `[[{key}]]` with two brackets."),
                );
                Vec::new()
            }
            _ => {
                p.error(
                    value.span(),
                    format!("`{key}` must be a list of tables. Write `[[{key}]]` above its lines."),
                );
                Vec::new()
            }
        }
    }

    /// Reports the keys that nobody asked for. Call it last.
    pub(super) fn finish(self, p: &mut Problems) {
        for (key, _) in self.table {
            let word: &str = key.get_ref();
            if self.known.contains(word) {
                continue;
            }
            let name = &self.name;
            let advice = match nearest(word, self.known.iter().copied()) {
                Some(known) => format!("Did you mean `{known}`?"),
                None => {
                    let all: Vec<&str> = self.known.iter().copied().collect();
                    format!("Known are: {}.", all.join(", "))
                }
            };
            p.error(
                key.span(),
                format!("`{word}` is not known in {name}. {advice}"),
            );
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.insert(key);
        self.table.get(key)
    }
}

fn as_text<'a>(value: &'a Spanned<DeValue<'a>>, key: &str, p: &mut Problems) -> Option<Text<'a>> {
    let Some(text) = value.get_ref().as_str() else {
        p.error(
            value.span(),
            format!("`{key}` must be text. Put it in double quotes."),
        );
        return None;
    };
    Some(Text {
        value: text,
        span: value.span(),
    })
}

fn as_section<'a>(
    value: &'a Spanned<DeValue<'a>>,
    key: &str,
    name: &str,
    p: &mut Problems,
) -> Option<Section<'a>> {
    let Some(table) = value.get_ref().as_table() else {
        p.error(
            value.span(),
            format!("`{key}` must be a table. Write `{{ name = value, … }}`."),
        );
        return None;
    };
    Some(Section::new(table, value.span(), name))
}

/// The known word that `word` is most likely a slip of.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let tolerance = (word.chars().count() / 3).clamp(1, 3);
    known
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["language", "time_zone", "numbers"];
        let nearest = |word| nearest(word, known.into_iter());
        assert_eq!(nearest("langauge"), Some("language"));
        assert_eq!(nearest("timezone"), Some("time_zone"));
        assert_eq!(nearest("number"), Some("numbers"));
        assert_eq!(nearest("colour"), None);
    }
}
