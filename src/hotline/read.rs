//! From text to a checked hotline, or to everything that is wrong with it.

mod hubs;
mod network;
mod people;
mod shifts;
mod trunks;
mod web;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use routing::PromptKind;
use sip::digest::Algorithm;
use toml::de::DeTable;

use super::handles::telling_handles;
use super::model::Hotline;
use super::problem::{Problem, Problems, Report, Severity};
use super::section::{Section, Text, nearest};

/// Largest hotline file that is read, bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Most characters of an id.
const MAX_ID_CHARS: usize = 64;

/// A hotline file that can be applied.
#[derive(Clone, Debug)]
pub struct Read {
    /// What it says.
    pub hotline: Hotline,
    /// What may be a mistake.
    pub warnings: Report,
    prompt_places: BTreeMap<(String, PromptKind), (usize, usize)>,
}

impl Read {
    /// The report about a prompt that turned out not to be playable.
    #[must_use]
    pub fn prompt_report(&self, hub: &str, kind: PromptKind, sentence: &str) -> Report {
        let place = self.prompt_places.get(&(hub.to_owned(), kind));
        let (line, column) = place.copied().unwrap_or((1, 1));
        Report {
            file: self.warnings.file.clone(),
            problems: vec![Problem {
                severity: Severity::Error,
                line,
                column,
                sentence: sentence.to_owned(),
            }],
        }
    }
}

/// Reads and checks a hotline file.
///
/// # Errors
/// Everything that is wrong with it, or why it cannot be read.
pub fn read(file: &Path) -> Result<Read, Report> {
    let refuse = |sentence: String| Report {
        file: file.to_path_buf(),
        problems: vec![Problem {
            severity: Severity::Error,
            line: 1,
            column: 1,
            sentence,
        }],
    };
    let bytes = read_limited(file, MAX_FILE_BYTES).map_err(|error| {
        refuse(format!(
            "the file cannot be read: {error}. Check its name and rights."
        ))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        refuse(format!(
            "line {line} is not UTF-8 text. Save the file as UTF-8."
        ))
    })?;
    parse(&text, file)
}

/// Checks the text of a hotline file. Files that it names are looked for beside `file`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, file: &Path) -> Result<Read, Report> {
    let mut p = Problems::new(text);
    let (table, syntax_errors) = DeTable::parse_recoverable(text);
    for error in &syntax_errors {
        let span = error.span().unwrap_or(0..0);
        p.error(
            span,
            format!(
                "this cannot be read as TOML ({}). Compare it with docs/hotline.example.toml.",
                error.message()
            ),
        );
    }
    if p.has_errors() {
        return Err(p.into_report(file));
    }
    let span = table.span().start..table.span().start;
    let root = Section::new(table.get_ref(), span, "the file");
    let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut names = Names::new(folder);
    let hotline = whole(root, &mut names, &mut p);
    if p.has_errors() {
        return Err(p.into_report(file));
    }
    let prompt_places = names
        .prompts
        .into_iter()
        .map(|(key, span)| (key, p.place(span.start)))
        .collect();
    Ok(Read {
        hotline,
        warnings: p.into_report(file),
        prompt_places,
    })
}

/// SHA-256 of a file's bytes in hex. It tells recordings apart; it protects nothing.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    // The hash at hand takes text; one character for each byte loses nothing.
    let text: String = bytes.iter().copied().map(char::from).collect();
    Algorithm::Sha256.hash(&[&text])
}

/// What has been named so far, and where.
struct Names {
    folder: PathBuf,
    hubs: BTreeMap<String, Range<usize>>,
    /// Volunteers and groups share one set of names, because a fallback names either.
    people: BTreeMap<String, Range<usize>>,
    numbers: BTreeMap<String, Range<usize>>,
    accounts: BTreeMap<String, Range<usize>>,
    trunks: BTreeMap<String, Range<usize>>,
    prompts: BTreeMap<(String, PromptKind), Range<usize>>,
    /// Fallback names, checked once all people are known.
    fallbacks: Vec<(String, Range<usize>)>,
}

impl Names {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            hubs: BTreeMap::new(),
            people: BTreeMap::new(),
            numbers: BTreeMap::new(),
            accounts: BTreeMap::new(),
            trunks: BTreeMap::new(),
            prompts: BTreeMap::new(),
            fallbacks: Vec::new(),
        }
    }
}

fn whole(mut root: Section<'_>, names: &mut Names, p: &mut Problems) -> Hotline {
    let network = network::network(&mut root, p);
    let limits = network::limits(&mut root, &network, p);
    let web = web::web(&mut root, &network, &names.folder, p);
    let hubs = hubs::hubs(&mut root, names, p);
    let volunteers = people::volunteers(&mut root, &network.realm, names, p);
    let groups = people::groups(&mut root, &volunteers, names, p);
    let trunks = trunks::trunks(&mut root, names, p);
    let hotline = Hotline {
        shifts: shifts::shifts(&mut root, &names.hubs, &volunteers, &groups, p),
        network,
        limits,
        web,
        hubs,
        volunteers,
        groups,
        trunks,
    };
    let start = root.span.clone();
    root.finish(p);
    for (name, span) in &names.fallbacks {
        if !names.people.contains_key(name) {
            unknown(
                "volunteer or group",
                name,
                names.people.keys(),
                span.clone(),
                p,
            );
        }
    }
    whole_warnings(&hotline, names, start, p);
    hotline
}

/// What is allowed, but makes a hotline on which nobody talks.
fn whole_warnings(hotline: &Hotline, names: &Names, start: Range<usize>, p: &mut Problems) {
    if hotline.trunks.is_empty() && !p.has_errors() {
        p.warn(
            start,
            "no trunk is given, so no call can come in from outside. Add a `[[trunk]]`.",
        );
    }
    if let Some(sentence) = telling_handles(&hotline.volunteers) {
        let places = names.people.values().map(|span| span.start);
        let first = places.min().unwrap_or(0);
        p.warn(first..first, format!("{sentence}."));
    }
    for (id, hub) in &hotline.hubs {
        let has_shift = hotline.shifts.iter().any(|shift| shift.hub == *id);
        if !has_shift && hub.fallback.is_empty() {
            let span = names.hubs.get(id).cloned().unwrap_or(0..0);
            p.warn(
                span,
                format!(
                    "hub \"{id}\" has neither a shift nor a fallback, so nobody is ever rung. \
                     Add a `[[shift]]` or `fallback = [\"…\"]`."
                ),
            );
        }
    }
}

/// Takes `text` as a new name; reports a bad or repeated one.
fn claim(
    taken: &mut BTreeMap<String, Range<usize>>,
    what: &str,
    text: &Text<'_>,
    p: &mut Problems,
) -> bool {
    if let Some(first) = taken.get(text.value) {
        let (line, _) = p.place(first.start);
        p.error(
            text.span.clone(),
            format!(
                "{what} \"{}\" is already used in line {line}. Give each its own.",
                text.value
            ),
        );
        return false;
    }
    taken.insert(text.value.to_owned(), text.span.clone());
    true
}

/// The id of a new thing; `None` when it cannot be used.
fn new_id(
    section: &mut Section<'_>,
    key: &'static str,
    what: &str,
    taken: &mut BTreeMap<String, Range<usize>>,
    p: &mut Problems,
) -> Option<String> {
    let text = section.required_text(key, &format!("my-{what}"), p)?;
    section.name = format!("{what} \"{}\"", text.value);
    section.span = text.span.clone();
    let plain = is_plain(text.value);
    if !plain {
        p.error(
            text.span.clone(),
            format!(
                "\"{}\" cannot be the {key} of a {what}. Use up to {MAX_ID_CHARS} letters, digits, `-`, `_` and `.`.",
                text.value
            ),
        );
    }
    (claim(taken, &format!("{what} {key}"), &text, p) && plain).then(|| text.value.to_owned())
}

fn is_plain(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty() && id.len() <= MAX_ID_CHARS && id.chars().all(allowed)
}

/// Reports a name that nothing has.
fn unknown<'k>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'k String>,
    span: Range<usize>,
    p: &mut Problems,
) {
    let advice = match nearest(name, known.map(String::as_str)) {
        Some(known) => format!("Did you mean \"{known}\"?"),
        None => "Add it to the file, or correct the name.".to_owned(),
    };
    p.error(span, format!("there is no {what} \"{name}\". {advice}"));
}

/// The bytes of a file of at most `max` bytes.
fn read_limited(path: &Path, max: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
