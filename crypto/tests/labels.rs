//! The registry of labels: generated code, uniqueness, and no label elsewhere.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const LABEL_PREFIX: &str = concat!("hl", "/v1/");

struct Entry {
    id: u64,
    variant: String,
    value: String,
    primitive: String,
    purpose: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn registry() -> Vec<Entry> {
    let text = fs::read_to_string(root().join("labels.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let labels = json["labels"].as_array().unwrap();
    let field = |label: &Value, name: &str| label[name].as_str().unwrap().to_owned();
    let entries = labels.iter().map(|label| Entry {
        id: label["id"].as_u64().unwrap(),
        variant: variant(label["name"].as_str().unwrap()),
        value: field(label, "value"),
        primitive: field(label, "primitive"),
        purpose: field(label, "use"),
    });
    entries.collect()
}

/// `VOICEMAIL_BODY` to `VoicemailBody`.
fn variant(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_owned() + &rest.to_lowercase()
    });
    words.collect()
}

fn render(entries: &[Entry]) -> String {
    let mut out = String::from(
        "//! Generated from `labels.json` by `tests/labels.rs`; do not edit.\n\n\
         /// What a key, a hash or a sealed body is for.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq)]\n\
         #[non_exhaustive]\n\
         pub enum Label {\n",
    );
    for entry in entries {
        writeln!(out, "    /// {}: {}.", entry.primitive, entry.purpose).unwrap();
        writeln!(out, "    {},", entry.variant).unwrap();
    }
    out.push_str(
        "}\n\nimpl Label {\n    /// The text that separates this purpose from all others.\n    \
         pub const fn value(self) -> &'static str {\n        match self {\n",
    );
    for entry in entries {
        let (variant, value) = (&entry.variant, &entry.value);
        writeln!(out, "            Self::{variant} => \"{value}\",").unwrap();
    }
    out.push_str("        }\n    }\n}\n");
    out
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped = name.starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !skipped {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_enum_is_what_the_registry_says() {
    let path = root().join("src/label/registry.rs");
    let expected = render(&registry());
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found != expected {
        fs::write(&path, expected).unwrap();
        panic!("src/label/registry.rs was out of date and has been written anew; run again");
    }
}

#[test]
fn labels_are_unique_and_none_begins_another() {
    let entries = registry();
    for (place, entry) in entries.iter().enumerate() {
        assert!(entry.value.starts_with(LABEL_PREFIX), "{}", entry.value);
        assert!(entry.value.is_ascii() && entry.value.len() < 64);
        for other in &entries[place + 1..] {
            assert_ne!(entry.id, other.id);
            assert_ne!(entry.variant, other.variant);
            assert!(!entry.value.starts_with(&other.value), "{}", entry.value);
            assert!(!other.value.starts_with(&entry.value), "{}", other.value);
        }
    }
}

#[test]
fn no_other_source_spells_a_label() {
    let mut files = Vec::new();
    sources(root().parent().unwrap(), &mut files);
    let generated = root().join("src/label/registry.rs");
    assert!(files.contains(&generated));
    for file in files.iter().filter(|file| **file != generated) {
        let text = fs::read_to_string(file).unwrap();
        assert!(!text.contains(LABEL_PREFIX), "{}", file.display());
    }
}

#[test]
fn each_label_is_in_the_protocol_documents() {
    let folder = root().parent().unwrap().join("docs/protocol");
    let pages = fs::read_dir(folder).unwrap();
    let text: String = pages
        .map(|page| fs::read_to_string(page.unwrap().path()).unwrap())
        .collect();
    for entry in registry() {
        assert!(
            text.contains(&format!("`{}`", entry.value)),
            "{}",
            entry.value
        );
    }
}

#[test]
fn each_label_has_one_call_site() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for entry in registry() {
        let usage = format!("Label::{}", entry.variant);
        let uses = files.iter().map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let after = product.split(&usage).skip(1);
            // Not the beginning of a longer name.
            let whole = |rest: &&str| !rest.starts_with(|next: char| next.is_alphanumeric());
            after.filter(whole).count()
        });
        assert_eq!(uses.sum::<usize>(), 1, "{usage}");
    }
}
