//! The registry of labels: generated code, uniqueness, and no label elsewhere.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const LABEL_PREFIX: &str = concat!("hl", "/v1/");
const OTHER_SOURCES: [&str; 7] = ["ts", "mjs", "js", "svelte", "sql", "toml", "sh"];
/// Of these only what is under version control: tools and builds write them too.
const KEPT_SOURCES: [&str; 8] = ["html", "json", "py", "kt", "kts", "swift", "yml", "yaml"];

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

/// All files of the tree that `wanted` takes, by their paths.
fn files(folder: &Path, wanted: fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped = name.starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !skipped {
            files(&path, wanted, found);
        } else if path.is_file() && wanted(&path) {
            found.push(path);
        }
    }
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// What is under version control, by the paths it would have on disk.
fn kept(repository: &Path) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(repository)
        .output()
        .expect("this test needs git");
    assert!(listed.status.success(), "this test needs a clone");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths = listed.split_terminator('\0');
    paths.map(|path| repository.join(path)).collect()
}

/// Whether a file is part of tests, benches, examples or fuzzing.
fn is_trial(path: &Path) -> bool {
    let folders = path.strip_prefix(root().parent().unwrap()).unwrap();
    let is_trial = |folder| {
        ["tests", "benches", "examples", "fuzz", "tests.rs"]
            .iter()
            .any(|trial| folder == *trial)
    };
    folders.iter().any(is_trial)
}

/// Rust, and whatever else runs outside of tests: independent readers spell the
/// labels as the documents do.
fn is_source(path: &Path) -> bool {
    let folders = path.strip_prefix(root().parent().unwrap()).unwrap();
    let mut folders = folders.iter();
    let is_read = match path.extension() {
        Some(extension) => OTHER_SOURCES.iter().any(|other| extension == *other),
        None => folders.clone().any(|folder| folder == "scripts"),
    };
    is_rust(path) || is_read && !folders.any(|folder| folder == "tests" || folder == "docs")
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
    let (repository, mut sources) = (root().parent().unwrap(), Vec::new());
    files(repository, is_source, &mut sources);
    let registry = root().join("labels.json");
    sources.extend(kept(repository).into_iter().filter(|path| {
        let extension = path.extension().unwrap_or_default();
        let is_read = KEPT_SOURCES.iter().any(|kept| extension == *kept);
        is_read && path.is_file() && *path != registry && !is_trial(path)
    }));
    let generated = root().join("src/label/registry.rs");
    assert!(sources.contains(&generated));
    for (file, is_read) in [
        ("Cargo.toml", true),
        ("scripts/build-wasm", true),
        ("web/protocol/generated/api.ts", true),
        ("web/panel/package.json", true),
        ("crypto/tests/python/open_record.py", false),
        ("crypto/tests/labels.rs", true),
        ("crypto/tests/node/record.js", false),
        ("crypto/labels.json", false),
    ] {
        let file = repository.join(file);
        assert!(file.exists(), "{}", file.display());
        assert_eq!(sources.contains(&file), is_read, "{}", file.display());
    }
    for file in sources.iter().filter(|file| **file != generated) {
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
    let mut sources = Vec::new();
    files(root().parent().unwrap(), is_rust, &mut sources);
    sources.retain(|path| !is_trial(path));
    for searched in [
        "crypto/src/padding.rs",
        "crypto/session/src/session.rs",
        "src/main.rs",
    ] {
        let searched = root().parent().unwrap().join(searched);
        assert!(sources.contains(&searched), "{}", searched.display());
    }
    let sources: Vec<String> = sources
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    for entry in registry() {
        let usage = format!("Label::{}", entry.variant);
        let uses = sources.iter().map(|text| {
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let after = product.split(&usage).skip(1);
            // Not the beginning of a longer name.
            let whole = |rest: &&str| !rest.starts_with(|next: char| next.is_alphanumeric());
            after.filter(whole).count()
        });
        assert_eq!(uses.sum::<usize>(), 1, "{usage}");
    }
}
