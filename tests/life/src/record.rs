//! Notes and reports: written, read, found, edited, erased, taken away.

use std::collections::BTreeSet;

use crypto::hub::{IndexField, Visibility};
use crypto::record::{Position, RecordKind, RecordPlace};
use crypto::{OsEntropy, RecordId, UserId};
use crypto_session::{Expectation, OpenedNote, Rewrap};
use protocol::{
    Blob, Id, IndexToken, NOTE_TEXT_VERSION, NewReaders, NewRecord, NoteText, RecordErasure,
    RecordHistory, RecordPage, RecordRevision, SearchAnswer, SearchRequest,
};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::failure::Failure;
use crate::hub::Hub;

/// The field of the blind index that the words of notes are under.
const WORDS: u8 = 0;
/// Number of the first field that hubs declare.
const FIRST_DECLARED: u16 = 256;
/// Shorter words are not looked up.
const MIN_WORD_CHARS: u8 = 4;
const CONFLICT: u16 = 409;

/// What somebody takes away, once it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// All revisions of one's records, in the order of the server.
    pub revisions: Vec<TakenRevision>,
}

/// One revision, opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenRevision {
    /// Of which record.
    pub record: Id,
    /// Its number, from 1.
    pub revision: u32,
    /// What it says.
    #[serde(flatten)]
    pub note: NoteText,
}

/// What a client makes of a record before it asks who it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// For its author and the admins.
    Note,
    /// For its author alone.
    PrivateNote,
    /// For its author, the reviewers and the admins.
    Report,
}

impl Sort {
    fn kind(self) -> RecordKind {
        match self {
            Self::Note | Self::PrivateNote => RecordKind::Note,
            Self::Report => RecordKind::Report,
        }
    }

    fn rule(self) -> Visibility {
        match self {
            Self::Note => Visibility::Case,
            Self::PrivateNote => Visibility::Private,
            Self::Report => Visibility::Reporter,
        }
    }

    fn visibility(self) -> protocol::Visibility {
        match self {
            Self::PrivateNote => protocol::Visibility::Private,
            Self::Note | Self::Report => protocol::Visibility::Shared,
        }
    }

    fn of(revision: &RecordRevision) -> Result<Self, Failure> {
        match (revision.kind, revision.visibility) {
            (protocol::RecordKind::Note, protocol::Visibility::Shared) => Ok(Self::Note),
            (protocol::RecordKind::Note, protocol::Visibility::Private) => Ok(Self::PrivateNote),
            (protocol::RecordKind::Report, protocol::Visibility::Shared) => Ok(Self::Report),
            other => Err(Failure::Misused(format!(
                "no note and no report: {other:?}"
            ))),
        }
    }
}

impl Client {
    /// Writes a record, to be found by each of its words.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn write(&mut self, hub: Id, sort: Sort, note: impl Into<NoteText>) -> Result<Id, Failure> {
        let note = note.into();
        let view = self.hub(hub)?;
        let record = RecordId::generate(&mut OsEntropy).map_err(crypto_session::Refusal::from)?;
        let place = RecordPlace {
            hub: view.id,
            record,
            kind: sort.kind(),
        };
        let readers = self.readers(&view, sort)?;
        let people = &view.people;
        let sealed = self
            .line
            .session
            .seal_note(place, &plaintext_of(&note), &readers, people)?;
        let record = Id(*record.as_bytes());
        self.send(&view, sort, &note.text, sealed.record)?;
        self.saw(record, sealed.position)?;
        Ok(record)
    }

    /// Writes the next revision of one's own record. What was entered in its fields stays.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn edit(&mut self, hub: Id, record: Id, text: &str) -> Result<(), Failure> {
        let view = self.hub(hub)?;
        let newest = self.newest(hub, record)?;
        let sort = Sort::of(&newest)?;
        let expectation = self.expectation(&view, record, &newest)?;
        let readers = self.readers(&view, sort)?;
        let old = sealed_in(&newest)?;
        let people = &view.people;
        let session = &mut self.line.session;
        let mut note = note_of(&session.open_note(old, &expectation, people)?)?;
        text.clone_into(&mut note.text);
        let plaintext = plaintext_of(&note);
        let sealed = session.revise_note(old, &expectation, &plaintext, &readers, people)?;
        self.send(&view, sort, text, sealed.record)?;
        self.saw(record, sealed.position)
    }

    /// Reads the newest revision of a record, if it is by whom and for whom the hub's roster
    /// allows. After a rotation, what opens it is moved to this person's new key.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn read(&mut self, hub: Id, record: Id) -> Result<String, Failure> {
        Ok(self.read_whole(hub, record)?.text)
    }

    /// The same, with what was entered in its fields.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn read_whole(&mut self, hub: Id, record: Id) -> Result<NoteText, Failure> {
        let view = self.hub(hub)?;
        let newest = self.newest(hub, record)?;
        let opened = self.open_revision(&view, record, &newest)?;
        self.saw(record, opened.position)?;
        if opened.rewrap == Some(Rewrap::Older) {
            self.rewrap(&view, record, &newest)?;
        }
        note_of(&opened)
    }

    fn rewrap(&mut self, hub: &Hub, record: Id, newest: &RecordRevision) -> Result<(), Failure> {
        let expectation = self.expectation(hub, record, newest)?;
        let (sealed, people) = (sealed_in(newest)?, &hub.people);
        let session = &mut self.line.session;
        let Some(moved) = session.rewrap_note(sealed, &expectation, people)? else {
            return Ok(());
        };
        let request = NewReaders {
            front: Blob(moved.front),
            visibility: newest.visibility,
        };
        let path = format!("/hubs/{}/records/{record}/readers", Id(*hub.id.as_bytes()));
        let answer = self.tell("PUT", &path, &request)?;
        if answer.status == CONFLICT {
            // Another reader was faster. The next reading does it.
            return Ok(());
        }
        answer.bytes()?;
        self.saw(record, moved.position)
    }

    /// Opens a revision that came from anywhere.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn open_revision(
        &mut self,
        hub: &Hub,
        record: Id,
        revision: &RecordRevision,
    ) -> Result<OpenedNote, Failure> {
        let expectation = self.expectation(hub, record, revision)?;
        let sealed = sealed_in(revision)?;
        Ok(self
            .line
            .session
            .open_note(sealed, &expectation, &hub.people)?)
    }

    /// The records that the server lists for this person.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn list(&mut self, hub: Id) -> Result<Vec<RecordRevision>, Failure> {
        self.pages(&format!("/hubs/{hub}/records"))
    }

    /// All revisions of a record.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn history(&mut self, hub: Id, record: Id) -> Result<RecordHistory, Failure> {
        self.get(&format!("/hubs/{hub}/records/{record}"))
    }

    /// The records that have all these words.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn search(&mut self, hub: Id, words: &str) -> Result<Vec<Id>, Failure> {
        let view = self.hub(hub)?;
        let tokens = self.tokens(&view, words)?;
        let path = format!("/hubs/{hub}/search");
        let mut records = Vec::new();
        let mut request = SearchRequest {
            tokens,
            after: None,
            limit: None,
        };
        loop {
            let page: SearchAnswer = self.tell("POST", &path, &request)?.json()?;
            records.extend(page.records);
            request.after = page.next;
            if request.after.is_none() {
                return Ok(records);
            }
        }
    }

    /// Erases a record.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn erase(&mut self, hub: Id, record: Id) -> Result<(), Failure> {
        let newest = self.newest(hub, record)?;
        self.erase_as_is(hub, record, &newest)
    }

    /// Orders the erasure of a revision that came from anywhere.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn erase_as_is(
        &mut self,
        hub: Id,
        record: Id,
        newest: &RecordRevision,
    ) -> Result<(), Failure> {
        let erasure = self
            .line
            .session
            .sign_erasure(sealed_in(newest)?, self.line.now_ms())?;
        let request = RecordErasure {
            erasure: Blob(erasure),
        };
        let path = format!("/hubs/{hub}/records/{record}/erasure");
        self.tell("POST", &path, &request)?.bytes()?;
        Ok(())
    }

    /// All of one's own records, opened and sealed again into one file for oneself; with a key
    /// (`hlpub1…`) also for whoever has its secret half.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn export(&mut self, hub: Id, key: Option<&str>) -> Result<Vec<u8>, Failure> {
        let view = self.hub(hub)?;
        let mut revisions = Vec::new();
        for revision in self.pages(&format!("/hubs/{hub}/export"))? {
            let opened = self.open_past(&view, &revision)?;
            revisions.push(TakenRevision {
                record: revision.id,
                revision: revision.revision,
                note: note_of(&opened)?,
            });
        }
        let plaintext = serde_json::to_vec(&Taken { revisions }).expect("plain values are JSON");
        let now = self.line.now_ms();
        let session = &mut self.line.session;
        Ok(session.seal_export(view.id, &plaintext, key, now)?)
    }

    /// Opens such a file.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn open_export(&self, file: &[u8]) -> Result<Taken, Failure> {
        let plaintext = self.line.session.open_export(file)?;
        serde_json::from_slice(&plaintext)
            .map_err(|error| Failure::Misused(format!("not an export of this client: {error}")))
    }

    /// A revision that is not the newest: nothing older is believed of the newest.
    fn open_past(&mut self, hub: &Hub, revision: &RecordRevision) -> Result<OpenedNote, Failure> {
        let mut expectation = self.expectation(hub, revision.id, revision)?;
        expectation.at_least = Position {
            revision: revision.revision,
            manifest: 1,
        };
        let sealed = sealed_in(revision)?;
        Ok(self
            .line
            .session
            .open_note(sealed, &expectation, &hub.people)?)
    }

    fn send(&mut self, hub: &Hub, sort: Sort, text: &str, sealed: Vec<u8>) -> Result<(), Failure> {
        let request = NewRecord {
            record: Blob(sealed),
            visibility: sort.visibility(),
            call: None,
            tokens: self.tokens(hub, text)?,
        };
        let path = format!("/hubs/{}/records", Id(*hub.id.as_bytes()));
        let _: RecordRevision = self.tell("POST", &path, &request)?.json()?;
        Ok(())
    }

    fn pages(&mut self, path: &str) -> Result<Vec<RecordRevision>, Failure> {
        let mut records = Vec::new();
        let mut target = path.to_owned();
        loop {
            let page: RecordPage = self.get(&target)?;
            records.extend(page.records);
            match page.next {
                None => return Ok(records),
                Some(next) => target = format!("{path}?after={next}"),
            }
        }
    }

    fn newest(&mut self, hub: Id, record: Id) -> Result<RecordRevision, Failure> {
        let mut history = self.history(hub, record)?;
        let newest = history.revisions.pop();
        newest.ok_or_else(|| Failure::Contradiction("a record without a revision".to_owned()))
    }

    fn readers(&self, hub: &Hub, sort: Sort) -> Result<Vec<UserId>, Failure> {
        let me = UserId::from_bytes(self.user().0);
        let readers = self.line.session.readers(hub.id, sort.rule(), me)?;
        Ok(readers.into_iter().collect())
    }

    fn expectation(
        &self,
        hub: &Hub,
        record: Id,
        revision: &RecordRevision,
    ) -> Result<Expectation, Failure> {
        let sort = Sort::of(revision)?;
        let author = revision.author;
        let author = author.ok_or_else(|| Failure::Contradiction("a note by nobody".to_owned()))?;
        let author = UserId::from_bytes(author.0);
        let place = RecordPlace {
            hub: hub.id,
            record: RecordId::from_bytes(record.0),
            kind: sort.kind(),
        };
        let expected = self.line.session.expectation(place, sort.rule(), author)?;
        let seen = self.seen.records.get(&record.to_string());
        Ok(Expectation {
            at_least: seen.map_or(Position::START, |(revision, manifest)| Position {
                revision: *revision,
                manifest: *manifest,
            }),
            ..expected
        })
    }

    /// A token for each word that is long enough.
    fn tokens(&self, hub: &Hub, text: &str) -> Result<Vec<IndexToken>, Failure> {
        let field = IndexField::declared(WORDS, MIN_WORD_CHARS);
        let field = field.map_err(|error| Failure::Misused(error.to_string()))?;
        let long = |word: &&str| word.chars().count() >= usize::from(MIN_WORD_CHARS);
        let words: BTreeSet<&str> = text.split_whitespace().filter(long).collect();
        let mut tokens = Vec::new();
        for word in words {
            for token in self.line.session.index(hub.id, field, word)? {
                tokens.push(IndexToken {
                    field: FIRST_DECLARED + u16::from(WORDS),
                    token: Id(token),
                });
            }
        }
        Ok(tokens)
    }

    fn saw(&mut self, record: Id, position: Position) -> Result<(), Failure> {
        let seen = (position.revision, position.manifest);
        self.seen.records.insert(record.to_string(), seen);
        self.keep_seen()
    }
}

fn sealed_in(revision: &RecordRevision) -> Result<&[u8], Failure> {
    let sealed = revision.record.as_ref();
    let sealed = sealed.ok_or_else(|| Failure::Misused("this record was erased".to_owned()))?;
    Ok(&sealed.0)
}

fn plaintext_of(note: &NoteText) -> Vec<u8> {
    serde_json::to_vec(note).expect("plain values are JSON")
}

fn note_of(opened: &OpenedNote) -> Result<NoteText, Failure> {
    let note: NoteText = serde_json::from_slice(&opened.plaintext)
        .map_err(|error| Failure::Misused(format!("this record holds no note: {error}")))?;
    match note.version {
        NOTE_TEXT_VERSION => Ok(note),
        other => Err(Failure::Misused(format!("a note of version {other}"))),
    }
}
