//! What callers hear, made ready before the first call.
//!
//! [`prepare`] turns every prompt of a hotline into audio: the hub's own recordings are decoded in
//! a child process with limits around it, texts are spoken by `espeak-ng`, and results are kept in
//! a cache under a name made from their content. A machine without `espeak-ng` still works:
//! callers then hear a short tone sequence in place of words.

mod child;
mod decode;
mod speech;
pub mod texts;
mod tones;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::control::ClipId;
use media::prompt::Prompt as Audio;
use routing::{HubId, Prompt, PromptKind};
use sip::digest::Algorithm;

use crate::hotline::{Hotline, PromptPlan, PromptSource, fingerprint};

pub use child::Child;
pub use decode::decode_child_main;

/// Changes when the way of making audio changes, so that old cache files are not used.
const CACHE_VERSION: &str = "prompt-2";

/// Where and with what prompts are made.
#[derive(Clone, Debug)]
pub struct Workshop {
    /// The folder of the cache; made when it is missing.
    pub cache: PathBuf,
    /// Decodes an audio file: our own program with `prompt-decode`.
    pub decoder: Child,
    /// Speaks: `espeak-ng`.
    pub speaker: PathBuf,
    /// What to do about a recording that cannot be played.
    pub on_failure: OnFailure,
}

impl Workshop {
    /// The usual one, with its cache in `cache`.
    ///
    /// # Errors
    /// When the operating system does not tell which program this is.
    pub fn new(cache: &Path, on_failure: OnFailure) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self {
            cache: cache.to_path_buf(),
            decoder: Child::new(&program, &["prompt-decode"]),
            speaker: PathBuf::from("espeak-ng"),
            on_failure,
        })
    }
}

/// What to do about a recording that cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Refuse the hotline file: somebody is there to mend it.
    Refuse,
    /// Use what is built in and say so: the hotline has to answer calls now.
    UseBuiltIn,
}

/// Audio for every prompt of every hub.
#[derive(Clone, Debug, Default)]
pub struct PreparedPrompts {
    prompts: BTreeMap<Prompt, (ClipId, Arc<Audio>)>,
    /// What the operator should know, one sentence each.
    pub notes: Vec<String>,
}

impl PreparedPrompts {
    /// Each different piece of audio once. An id always stands for the same audio.
    #[must_use]
    pub fn clips(&self) -> Vec<(ClipId, Arc<Audio>)> {
        let clips: BTreeMap<ClipId, Arc<Audio>> = self.prompts.values().cloned().collect();
        clips.into_iter().collect()
    }

    /// Which clip each prompt is.
    #[must_use]
    pub fn clip_ids(&self) -> BTreeMap<Prompt, ClipId> {
        let ids = self.prompts.iter();
        ids.map(|(prompt, (id, _))| (prompt.clone(), *id)).collect()
    }

    fn note(&mut self, sentence: String) {
        if !self.notes.contains(&sentence) {
            self.notes.push(sentence);
        }
    }
}

/// A prompt that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptFailure {
    /// The hub.
    pub hub: String,
    /// Which of its prompts.
    pub kind: PromptKind,
    /// What is wrong. What to do.
    pub sentence: String,
}

impl fmt::Display for PromptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hub \"{}\": {}", self.hub, self.sentence)
    }
}

/// Prepares every prompt of `hotline`. Blocks for as long as decoding and speaking take;
/// `progress` is told what is made next, when it is not in the cache.
///
/// # Errors
/// Every prompt that cannot be made, with [`OnFailure::Refuse`].
pub fn prepare(
    hotline: &Hotline,
    workshop: &Workshop,
    progress: &mut dyn FnMut(&str),
) -> Result<PreparedPrompts, Vec<PromptFailure>> {
    let mut ready = PreparedPrompts::default();
    let mut failures = Vec::new();
    for plan in hotline.prompt_plans() {
        let made = match make(&plan, workshop, &mut ready, progress) {
            Ok(made) => made,
            Err(sentence) => {
                let failure = PromptFailure {
                    hub: plan.hub.clone(),
                    kind: plan.kind,
                    sentence,
                };
                if workshop.on_failure == OnFailure::Refuse {
                    failures.push(failure);
                    continue;
                }
                ready.note(format!(
                    "{failure} Until then callers hear what is built in."
                ));
                built_in(&plan, workshop, &mut ready, progress)
            }
        };
        let prompt = Prompt {
            hub: HubId::new(&plan.hub),
            kind: plan.kind,
        };
        ready.prompts.insert(prompt, made);
    }
    if failures.is_empty() {
        Ok(ready)
    } else {
        Err(failures)
    }
}

type Made = (ClipId, Arc<Audio>);

fn make(
    plan: &PromptPlan,
    workshop: &Workshop,
    ready: &mut PreparedPrompts,
    progress: &mut dyn FnMut(&str),
) -> Result<Made, String> {
    match &plan.source {
        PromptSource::BuiltIn => Ok(built_in(plan, workshop, ready, progress)),
        PromptSource::Text(text) => Ok(spoken(text, &plan.language, workshop, ready, progress)),
        PromptSource::File { path, hash } => {
            let key = key_of(&["file", hash]);
            cached(&key, workshop, ready, || {
                progress(&format!("decoding {}", path.display()));
                let bytes = std::fs::read(path).map_err(|error| {
                    format!(
                        "the recording {} cannot be read: {error}. Put it back.",
                        path.display()
                    )
                })?;
                if fingerprint(&bytes) != *hash {
                    return Err(format!(
                        "the recording {} is not the one that was applied. Apply the hotline file again.",
                        path.display()
                    ));
                }
                decode::decode(&workshop.decoder, &bytes).map_err(|why| {
                    format!("the recording {} cannot be played: {why}.", path.display())
                })
            })
        }
    }
}

fn built_in(
    plan: &PromptPlan,
    workshop: &Workshop,
    ready: &mut PreparedPrompts,
    progress: &mut dyn FnMut(&str),
) -> Made {
    match texts::built_in(&plan.language, plan.kind) {
        Some((text, language)) => spoken(text, language, workshop, ready, progress),
        None => {
            let key = key_of(&["music"]);
            let music = || Ok::<_, String>(media::music::default_hold_music());
            cached(&key, workshop, ready, music).expect("making the music cannot fail")
        }
    }
}

fn spoken(
    text: &str,
    language: &str,
    workshop: &Workshop,
    ready: &mut PreparedPrompts,
    progress: &mut dyn FnMut(&str),
) -> Made {
    let key = key_of(&["spoken", language, text]);
    let made = cached(&key, workshop, ready, || {
        progress(&format!("speaking a prompt in \"{language}\""));
        let wav = speech::speak(&workshop.speaker, language, text)?;
        decode::decode(&workshop.decoder, &wav)
            .map_err(|why| format!("the spoken text cannot be played: {why}"))
    });
    made.unwrap_or_else(|why| {
        ready.note(format!(
            "{why}. Until then callers hear tones in place of words; recordings of your own always work."
        ));
        let tones = tones::in_place_of_words();
        (clip_id(&key_of(&["tones"])), Arc::new(tones))
    })
}

/// The audio under `key` from the cache, or else from `make`, which is then kept.
/// A cache that cannot be written costs time at the next start, nothing else.
fn cached<E>(
    key: &str,
    workshop: &Workshop,
    ready: &mut PreparedPrompts,
    make: impl FnOnce() -> Result<Audio, E>,
) -> Result<Made, E> {
    let id = clip_id(key);
    let known = ready.prompts.values().find(|(known, _)| *known == id);
    if let Some(known) = known {
        return Ok(known.clone());
    }
    let path = workshop.cache.join(format!("{key}.prompt"));
    let kept = std::fs::read(&path).ok();
    if let Some(audio) = kept.and_then(|bytes| Audio::read_cache(&bytes).ok()) {
        return Ok((id, Arc::new(audio)));
    }
    let audio = make()?;
    if let Err(error) = keep(&path, &audio.write_cache()) {
        ready.note(format!(
            "the prompt cache {} cannot be written: {error}. Prompts are made anew at every start.",
            workshop.cache.display()
        ));
    }
    Ok((id, Arc::new(audio)))
}

/// Writes a file that is there whole or not at all.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.part", std::process::id()));
    let written = std::fs::File::create(&unfinished)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        // Nothing more can be done about it if this fails too.
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

fn key_of(parts: &[&str]) -> String {
    let mut all = vec![CACHE_VERSION];
    all.extend(parts);
    Algorithm::Sha256.hash(&all)
}

/// The first 64 bits of the key.
fn clip_id(key: &str) -> ClipId {
    ClipId(u64::from_str_radix(&key[..16], 16).expect("keys are 64 hex digits"))
}

#[cfg(test)]
mod tests;
