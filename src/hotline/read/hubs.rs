//! `[[hub]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use routing::PromptKind;

use super::{Names, claim, fingerprint, new_id, read_limited};
use crate::hotline::model::{Hub, PromptSource, Prompts, RateLimit, Screening};
use crate::hotline::problem::Problems;
use crate::hotline::secret::{Number, ReaderKey, Zone};
use crate::hotline::section::{Section, Text};
use crate::prompts::texts;

const MAX_NAME_CHARS: usize = 64;
/// Longest text that is spoken; about two minutes.
const MAX_SPOKEN_CHARS: usize = 2_000;
/// CALL-12.
const QUEUE_TIMEOUT_S: std::ops::RangeInclusive<u32> = 30..=300;
const DEFAULT_QUEUE_TIMEOUT_S: u32 = 90;
/// VM-02.
const VOICEMAIL_MAX_S: std::ops::RangeInclusive<u32> = 30..=300;
const DEFAULT_VOICEMAIL_MAX_S: u32 = 120;
const DEFAULT_VOICEMAIL_SILENCE_S: u32 = 10;
const DEFAULT_ANSWER_AFTER_S: u32 = 8;
const DEFAULT_WRAP_UP_S: u32 = 30;
const DEFAULT_MAX_WAITING: u32 = 20;
const DEFAULT_MAX_CALLS: u32 = 3;
const DEFAULT_WINDOW_S: u32 = 60;

pub(super) fn hubs(
    root: &mut Section<'_>,
    names: &mut Names,
    p: &mut Problems,
) -> BTreeMap<String, Hub> {
    let sections = root.sections("hub", p);
    if !root.has("hub") {
        p.error(
            root.span.clone(),
            "the file has no hub, so nobody could be helped. Add a `[[hub]]`; see docs/hotline.example.toml.",
        );
    }
    sections
        .into_iter()
        .filter_map(|section| hub(section, names, p))
        .collect()
}

fn hub(mut section: Section<'_>, names: &mut Names, p: &mut Problems) -> Option<(String, Hub)> {
    let id = new_id(&mut section, "id", "hub", &mut names.hubs, p);
    let name = section.required_text("name", "Helpline", p);
    let numbers = numbers(&mut section, names, p);
    let language = language(&mut section, p);
    let time_zone = time_zone(&mut section, p);
    let key = id.clone().unwrap_or_default();
    let prompts = prompts(&mut section, &key, &language, names, p);
    let voicemail_keys = voicemail_keys(&mut section, p);
    let fallback = section.texts("fallback", p);
    names.fallbacks.extend(
        fallback
            .iter()
            .map(|t| (t.value.to_owned(), t.span.clone())),
    );
    let s = &mut section;
    let hub = Hub {
        name: name.map_or_else(String::new, |text| display_name(&text, p)),
        numbers,
        language,
        time_zone: time_zone?,
        queue_timeout_s: s.number("queue_timeout", QUEUE_TIMEOUT_S, DEFAULT_QUEUE_TIMEOUT_S, p),
        answer_after_s: s.number("answer_after", 1..=60, DEFAULT_ANSWER_AFTER_S, p),
        voicemail_max_s: s.number("voicemail_max", VOICEMAIL_MAX_S, DEFAULT_VOICEMAIL_MAX_S, p),
        voicemail_silence_s: s.number("voicemail_silence", 3..=60, DEFAULT_VOICEMAIL_SILENCE_S, p),
        wrap_up_s: s.number("wrap_up", 0..=3_600, DEFAULT_WRAP_UP_S, p),
        max_waiting: s.number("max_waiting", 0..=1_000, DEFAULT_MAX_WAITING, p),
        prompts,
        voicemail_keys,
        fallback: fallback.iter().map(|t| t.value.to_owned()).collect(),
        screening: screening(s, p),
    };
    if hub.answer_after_s >= hub.queue_timeout_s {
        p.error(
            section.span.clone(),
            "`answer_after` must be shorter than `queue_timeout`, or the caller would never hear the greeting.",
        );
    }
    section.finish(p);
    Some((id?, hub))
}

fn display_name(text: &Text<'_>, p: &mut Problems) -> String {
    let length = text.value.chars().count();
    if length == 0 || length > MAX_NAME_CHARS || text.value.chars().any(char::is_control) {
        p.error(
            text.span.clone(),
            format!("`name` must have 1 to {MAX_NAME_CHARS} characters on one line, because phones show it."),
        );
    }
    text.value.to_owned()
}

fn numbers(section: &mut Section<'_>, names: &mut Names, p: &mut Problems) -> BTreeSet<Number> {
    let mut numbers = BTreeSet::new();
    for text in section.texts("numbers", p) {
        let Ok(number) = Number::try_from(text.value.to_owned()) else {
            p.error(
                text.span,
                format!("\"{}\" is not a telephone number. Write it as the trunk delivers it, for example \"+15550100\".", text.value),
            );
            continue;
        };
        let normalised = number.to_string();
        let written = Text {
            value: &normalised,
            span: text.span,
        };
        if claim(&mut names.numbers, "number", &written, p) {
            numbers.insert(number);
        }
    }
    if numbers.is_empty() && !section.has("numbers") {
        p.error(
            section.span.clone(),
            format!(
                "{} has no `numbers`, so nobody can call it. Add `numbers = [\"+15550100\"]`.",
                section.name
            ),
        );
    }
    numbers
}

fn language(section: &mut Section<'_>, p: &mut Problems) -> String {
    let Some(text) = section.required_text("language", "en", p) else {
        return "en".to_owned();
    };
    let mut parts = text.value.split('-');
    let primary = parts.next().unwrap_or("");
    let tag = (2..=3).contains(&primary.len())
        && primary.chars().all(|c| c.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
        });
    if !tag {
        p.error(
            text.span,
            "`language` must be a language tag such as `\"en\"`, `\"es\"` or `\"pt-br\"`.",
        );
    }
    text.value.to_ascii_lowercase()
}

fn time_zone(section: &mut Section<'_>, p: &mut Problems) -> Option<Zone> {
    let text = section.required_text("time_zone", "Europe/Madrid", p)?;
    let zone = Zone::try_from(text.value.to_owned());
    if zone.is_err() {
        p.error(
            text.span,
            format!("there is no time zone \"{}\". Use a name such as `Europe/Madrid` or `America/New_York`.", text.value),
        );
    }
    zone.ok()
}

fn voicemail_keys(section: &mut Section<'_>, p: &mut Problems) -> Vec<ReaderKey> {
    let texts = section.texts("voicemail_keys", p);
    if texts.is_empty() {
        p.error(
            section.span.clone(),
            format!(
                "{} has no `voicemail_keys`, so callers could not leave a message. \
                 Make a key pair with `centralita keygen reader.key` and put the public key here.",
                section.name
            ),
        );
    }
    let mut keys: Vec<ReaderKey> = Vec::new();
    for text in texts {
        match ReaderKey::try_from(text.value.to_owned()) {
            Ok(key) if keys.contains(&key) => p.error(
                text.span,
                "this key is listed twice. Remove one of the two.",
            ),
            Ok(key) => keys.push(key),
            // The text is not repeated: it might be a secret key, pasted by mistake.
            Err(error) => p.error(
                text.span,
                format!("this is not a public key for reading messages: {error}. Copy the line that `centralita keygen` printed."),
            ),
        }
    }
    if keys.len() > crypto::MAX_RECIPIENTS {
        let most = crypto::MAX_RECIPIENTS;
        p.error(
            section.span.clone(),
            format!(
                "{} has more than {most} `voicemail_keys`. Keep at most {most}.",
                section.name
            ),
        );
    }
    keys
}

fn screening(section: &mut Section<'_>, p: &mut Problems) -> Screening {
    let mut screening = Screening {
        ban_list: true,
        rate_limit: Some(RateLimit {
            max_calls: DEFAULT_MAX_CALLS,
            window_s: DEFAULT_WINDOW_S,
        }),
    };
    let name = format!("screening of {}", section.name);
    if let Some(mut s) = section.section("screening", &name, p) {
        screening.ban_list = s.flag("ban_list", true, p);
        let limited = s.flag("rate_limit", true, p);
        let limit = RateLimit {
            max_calls: s.number("max_calls", 1..=1_000, DEFAULT_MAX_CALLS, p),
            window_s: s.number("window_s", 1..=86_400, DEFAULT_WINDOW_S, p),
        };
        screening.rate_limit = limited.then_some(limit);
        s.finish(p);
    }
    screening
}

fn prompts(
    section: &mut Section<'_>,
    hub: &str,
    language: &str,
    names: &mut Names,
    p: &mut Problems,
) -> Prompts {
    let mut sources = PromptKind::ALL.map(|_| PromptSource::BuiltIn);
    let mut place = section.span.clone();
    let name = format!("prompts of {}", section.name);
    if let Some(mut s) = section.section("prompts", &name, p) {
        place = s.span.clone();
        for (source, kind) in sources.iter_mut().zip(PromptKind::ALL) {
            *source = prompt(&mut s, hub, kind, names, p);
        }
        s.finish(p);
    }
    let [greeting, hold_music, voicemail_invitation, voicemail_thanks] = sources;
    let spoken = [&greeting, &voicemail_invitation, &voicemail_thanks];
    if !texts::has_language(language) && spoken.into_iter().any(|s| *s == PromptSource::BuiltIn) {
        p.warn(
            place,
            format!("there are no built-in texts in \"{language}\", so callers will hear English. Give your own recordings or texts in `prompts`."),
        );
    }
    Prompts {
        greeting,
        hold_music,
        voicemail_invitation,
        voicemail_thanks,
    }
}

/// The keys of a kind: for a file, and for a text where one makes sense.
fn prompt_keys(kind: PromptKind) -> (&'static str, Option<&'static str>) {
    match kind {
        PromptKind::Greeting => ("greeting", Some("greeting_text")),
        PromptKind::HoldMusic => ("hold_music", None),
        PromptKind::VoicemailInvitation => {
            ("voicemail_invitation", Some("voicemail_invitation_text"))
        }
        PromptKind::VoicemailThanks => ("voicemail_thanks", Some("voicemail_thanks_text")),
    }
}

fn prompt(
    section: &mut Section<'_>,
    hub: &str,
    kind: PromptKind,
    names: &mut Names,
    p: &mut Problems,
) -> PromptSource {
    let (file_key, text_key) = prompt_keys(kind);
    let file = section.text(file_key, p);
    let spoken = text_key.and_then(|key| section.text(key, p));
    for given in [&file, &spoken].into_iter().flatten() {
        names
            .prompts
            .insert((hub.to_owned(), kind), given.span.clone());
    }
    match (file, spoken) {
        (Some(file), Some(_)) => {
            p.error(
                file.span,
                format!("`{file_key}` and `{file_key}_text` are both given. Keep the recording or the text."),
            );
            PromptSource::BuiltIn
        }
        (Some(file), None) => prompt_file(&file, &names.folder, p),
        (None, Some(spoken)) => spoken_text(&spoken, p),
        (None, None) => PromptSource::BuiltIn,
    }
}

fn spoken_text(text: &Text<'_>, p: &mut Problems) -> PromptSource {
    let length = text.value.chars().count();
    if text.value.trim().is_empty() || length > MAX_SPOKEN_CHARS {
        p.error(
            text.span.clone(),
            format!("a spoken text must have 1 to {MAX_SPOKEN_CHARS} characters. Shorten it, or record it."),
        );
    }
    PromptSource::Text(text.value.trim().to_owned())
}

fn prompt_file(text: &Text<'_>, folder: &Path, p: &mut Problems) -> PromptSource {
    let path = folder.join(text.value);
    match read_limited(&path, media::prompt::MAX_PROMPT_BYTES as u64) {
        Ok(bytes) => PromptSource::File {
            path: std::path::absolute(&path).unwrap_or(path),
            hash: fingerprint(&bytes),
        },
        Err(error) => {
            p.error(
                text.span.clone(),
                format!("the recording {} cannot be read: {error}. Check the name; it is looked for beside the hotline file.", path.display()),
            );
            PromptSource::BuiltIn
        }
    }
}
