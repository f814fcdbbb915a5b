//! Sealing, opening and sharing short records.

use std::collections::BTreeSet;
use std::fmt;

use crypto::identity::{Reader, Sigchain};
use crypto::record::{
    Expected, KnownDevice, OpeningKey, Position, RecordAuthor, RecordError, RecordFront,
    RecordPlace, RecordWriter, SealedRecord, VerifiedFront, WrapKind,
};
use crypto::{Entropy, UserId};
use zeroize::Zeroizing;

use crate::people::People;
use crate::refusal::{Code, Refusal};
use crate::session::{Open, Session, no_items_key};
use crate::voicemail::ServerKey;

/// Whom a record is shown as being by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A person wrote it on one of their devices.
    Person(UserId),
    /// The server sealed it as it came in: who called, a text message.
    Server(ServerKey),
}

impl From<UserId> for Author {
    fn from(user: UserId) -> Self {
        Self::Person(user)
    }
}

/// What the app knows of a record that it asked the server for. A record that
/// differs is refused.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The record that was asked for.
    pub place: RecordPlace,
    /// Whom it is shown as being by.
    pub author: Author,
    /// The newest state seen so far; [`Position::START`] when there is none.
    pub at_least: Position,
    /// Who may read it, by the hub's verified roster.
    pub readers: BTreeSet<UserId>,
    /// Who might once, and stands on older lists of readers.
    pub former: BTreeSet<UserId>,
}

impl Expectation {
    /// A record of which no state was seen yet.
    pub fn new(place: RecordPlace, author: Author, readers: BTreeSet<UserId>) -> Self {
        Self {
            place,
            author,
            at_least: Position::START,
            readers,
            former: BTreeSet::new(),
        }
    }
}

/// A record that was sealed or changed here, and its new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedNote {
    /// To send to the server.
    pub record: Vec<u8>,
    /// Its front alone: to send where the body stayed as it is.
    pub front: Vec<u8>,
    /// To be remembered as seen.
    pub position: Position,
}

/// A record that was believed and opened.
pub struct OpenedNote {
    /// What was sealed. Wiped from memory when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// To be remembered as seen.
    pub position: Position,
    /// The device that wrote it has been revoked since. Whoever took it could
    /// have written this afterwards: to be shown beside the text.
    pub author_revoked: bool,
    /// Why this person's own wrap is due for [`Session::rewrap_note`].
    pub rewrap: Option<Rewrap>,
}

/// Why a reader's own wrap should be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrap {
    /// It is of an older generation of their key, which was rotated because
    /// somebody may have it.
    Older,
    /// It is of the newest generation; one under the items key opens faster.
    Slower,
}

impl Rewrap {
    /// The name by which programs in other languages know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Older => "older",
            Self::Slower => "slower",
        }
    }
}

impl fmt::Debug for OpenedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedNote({} …)", self.position)
    }
}

impl Session {
    /// Seals the first revision for this person and `readers`, each of whom must
    /// be among `people`.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::UnknownPerson`],
    /// [`Code::Limit`], [`Code::NoRandomness`]; [`Code::OutOfTurn`] when a device
    /// was revoked and [`Session::rotate_key`] has not followed.
    pub fn seal_note(
        &mut self,
        place: RecordPlace,
        plaintext: &[u8],
        readers: &[UserId],
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        let (open, entropy) = self.parts()?;
        let readers = open.sealed_to(readers, people)?;
        let sealed = open.writer().seal(place, plaintext, &readers, entropy)?;
        Ok(sealed.into())
    }

    /// Compares a record with what is expected and opens it.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::UnknownPerson`], or what
    /// is wrong with the record.
    pub fn open_note(
        &self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<OpenedNote, Refusal> {
        let open = self.opened()?;
        let sealed = SealedRecord::decode(record)?;
        let believed = Believed::new(open, sealed.front(), expectation, people)?;
        let expected = believed.expected(expectation);
        let front = sealed.front().verify(&expected)?;
        let opened = front.open(sealed.body(), &believed.opening_key()?)?;
        Ok(OpenedNote {
            plaintext: opened.plaintext,
            position: front.position(),
            author_revoked: believed.author_revoked,
            rewrap: believed.rewrap()?,
        })
    }

    /// Puts this person's own wrap of a record under their newest items key:
    /// after reading, as [`OpenedNote::rewrap`] says. Readers and body stay as
    /// they are; the front goes to the server, which takes it from any reader.
    /// `None` when there is nothing to do.
    ///
    /// # Errors
    /// As of [`Session::open_note`]; [`Code::KeyNeeded`] also when the newest
    /// items key was not loaded, [`Code::OutOfTurn`] as of [`Session::seal_note`].
    pub fn rewrap_note(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<Option<SealedNote>, Refusal> {
        let (open, entropy) = self.parts()?;
        let sealed = SealedRecord::decode(record)?;
        let front = open.rewrapped(sealed.front(), expectation, people, entropy)?;
        match front {
            None => Ok(None),
            Some(front) => Ok(Some(sealed.with_front(front)?.into())),
        }
    }

    /// Lets one more person read.
    ///
    /// # Errors
    /// As of [`Session::open_note`]; [`Code::ReaderNotAllowed`].
    pub fn add_reader(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        reader: UserId,
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        self.change(record, expectation, people, |front, open, key, entropy| {
            let reader = open.reader(reader, people)?;
            Ok(front.add_reader(&open.writer(), key, &reader, entropy)?)
        })
    }

    /// Takes a reader off. They may have kept what they read, and the key of
    /// this revision.
    ///
    /// # Errors
    /// As of [`Session::open_note`].
    pub fn remove_reader(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        reader: UserId,
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        self.change(record, expectation, people, |front, open, _, _| {
            Ok(front.remove_reader(&open.writer(), reader)?)
        })
    }

    /// Seals the next revision, with a key of its own.
    ///
    /// # Errors
    /// As of [`Session::seal_note`] and [`Session::open_note`].
    pub fn revise_note(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        plaintext: &[u8],
        readers: &[UserId],
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        let (open, entropy) = self.parts()?;
        let sealed = SealedRecord::decode(record)?;
        let readers = open.sealed_to(readers, people)?;
        let believed = Believed::new(open, sealed.front(), expectation, people)?;
        let expected = believed.expected(expectation);
        let front = sealed.front().verify(&expected)?;
        let next = front.new_revision(&open.writer(), plaintext, &readers, entropy)?;
        Ok(next.into())
    }

    /// Changes the readers of a record and keeps its body.
    fn change(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
        change: impl FnOnce(
            &VerifiedFront<'_>,
            &Open,
            &OpeningKey<'_>,
            &mut dyn Entropy,
        ) -> Result<RecordFront, Refusal>,
    ) -> Result<SealedNote, Refusal> {
        let (open, entropy) = self.parts()?;
        let sealed = SealedRecord::decode(record)?;
        let front = {
            let believed = Believed::new(open, sealed.front(), expectation, people)?;
            let expected = believed.expected(expectation);
            let front = sealed.front().verify(&expected)?;
            change(&front, open, &believed.opening_key()?, entropy)?
        };
        Ok(sealed.with_front(front)?.into())
    }
}

impl From<SealedRecord> for SealedNote {
    fn from(sealed: SealedRecord) -> Self {
        Self {
            position: sealed.front().position(),
            front: sealed.front().encode(),
            record: sealed.encode(),
        }
    }
}

impl Open {
    /// The front with this person's own wrap under their newest items key, where
    /// it is not yet.
    pub(crate) fn rewrapped(
        &self,
        front: &RecordFront,
        expectation: &Expectation,
        people: &People,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<RecordFront>, Refusal> {
        let believed = Believed::new(self, front, expectation, people)?;
        let expected = believed.expected(expectation);
        let front = front.verify(&expected)?;
        if believed.rewrap()?.is_none() {
            return Ok(None);
        }
        self.sealing_key()?;
        let items = self.newest_items_key().ok_or_else(no_items_key)?;
        let key = believed.opening_key()?;
        let next = front.rewrap_for_items_key(&self.writer(), &key, items, entropy)?;
        Ok(Some(next))
    }

    pub(crate) fn writer(&self) -> RecordWriter<'_> {
        let writer = RecordWriter::person(&self.keys);
        match self.newest_items_key() {
            Some(items) => writer.with_items_key(items),
            None => writer,
        }
    }

    /// The readers with their newest keys; the author is always one of them.
    pub(crate) fn sealed_to(
        &self,
        readers: &[UserId],
        people: &People,
    ) -> Result<Vec<Reader>, Refusal> {
        let own = self.sealing_key()?.reader();
        let others = readers.iter().filter(|user| **user != own.user);
        let others = others.map(|user| self.reader(*user, people));
        std::iter::once(Ok(own)).chain(others).collect()
    }

    pub(crate) fn reader(&self, user: UserId, people: &People) -> Result<Reader, Refusal> {
        let reader = self.chain_of(user, people)?.state().reader();
        reader.ok_or_else(|| {
            let sentence = format!("{user} has no key yet, so nothing can be sealed to them");
            Refusal::new(Code::UnknownPerson, sentence)
        })
    }

    pub(crate) fn chain_of<'a>(
        &'a self,
        user: UserId,
        people: &'a People,
    ) -> Result<&'a Sigchain, Refusal> {
        let own = self.person.as_ref().filter(|_| user == self.keys.user());
        let chain = own.map(|person| &person.chain);
        chain.or_else(|| people.chain(user)).ok_or_else(|| {
            let sentence = format!("the device list of {user} was not loaded");
            Refusal::new(Code::UnknownPerson, sentence)
        })
    }
}

impl Open {
    /// The device that claims to have written, and whether it was revoked.
    fn known_author(
        &self,
        user: UserId,
        front: &RecordFront,
        people: &People,
    ) -> Result<(RecordAuthor, bool), Refusal> {
        let device = front.context().device();
        let known = self.chain_of(user, people)?.state().device(device);
        // A device of somebody else, or of nobody.
        let known = known.ok_or(RecordError::OtherAuthor)?;
        let author = RecordAuthor::Person(KnownDevice {
            user,
            device,
            key: known.sign_key,
        });
        Ok((author, !known.is_live()))
    }
}

/// What the verified device lists say about a record's author and readers.
pub(crate) struct Believed<'a> {
    open: &'a Open,
    front: &'a RecordFront,
    author: RecordAuthor,
    author_revoked: bool,
    signers: Vec<KnownDevice>,
}

impl<'a> Believed<'a> {
    pub(crate) fn new(
        open: &'a Open,
        front: &'a RecordFront,
        expectation: &Expectation,
        people: &People,
    ) -> Result<Self, Refusal> {
        let (author, author_revoked) = match expectation.author {
            Author::Person(user) => open.known_author(user, front, people)?,
            Author::Server(ServerKey { id, key }) => {
                (RecordAuthor::Ingest { server: id, key }, false)
            }
        };
        let readers = expectation.readers.iter().chain(&expectation.former);
        let chains = readers.filter_map(|user| open.chain_of(*user, people).ok());
        Ok(Self {
            open,
            front,
            author,
            author_revoked,
            signers: chains.flat_map(devices).collect(),
        })
    }

    pub(crate) fn expected<'b>(&'b self, expectation: &'b Expectation) -> Expected<'b> {
        Expected {
            place: expectation.place,
            at_least: expectation.at_least,
            author: self.author,
            manifest_signers: &self.signers,
            allowed_readers: &expectation.readers,
            former_readers: &expectation.former,
        }
    }

    /// Of this person's keys the one that the record is sealed to.
    pub(crate) fn opening_key(&self) -> Result<OpeningKey<'a>, Refusal> {
        let person = self.open.person()?;
        let user = self.open.keys.user();
        let (generation, kind) = self.own_wrap()?;
        let key = match kind {
            WrapKind::ItemsKey => {
                let items = self.open.items.get(&generation);
                items.map(OpeningKey::ItemsKey)
            }
            WrapKind::PerUserKey => {
                let secret = person.readers.get(&generation);
                secret.map(|secret| OpeningKey::PerUserKey {
                    user,
                    generation,
                    secret,
                })
            }
        };
        Ok(key.ok_or(RecordError::OtherKeyNeeded { generation, kind })?)
    }

    fn rewrap(&self) -> Result<Option<Rewrap>, Refusal> {
        let newest = self.open.person()?.ring.current().generation();
        Ok(match self.own_wrap()? {
            (generation, _) if generation != newest => Some(Rewrap::Older),
            (_, WrapKind::PerUserKey) => Some(Rewrap::Slower),
            (_, WrapKind::ItemsKey) => None,
        })
    }

    fn own_wrap(&self) -> Result<(u32, WrapKind), RecordError> {
        let entry = self.front.manifest().entry(self.open.keys.user());
        let entry = entry.ok_or(RecordError::NotAReader)?;
        Ok((entry.generation(), entry.kind()))
    }
}

/// A device that was revoked since stays: otherwise nobody could open any more
/// what it has signed. It can add nobody who may not read.
fn devices(chain: &Sigchain) -> Vec<KnownDevice> {
    let user = chain.user();
    let devices = chain.state().devices();
    devices
        .map(|(device, known)| KnownDevice {
            user,
            device,
            key: known.sign_key,
        })
        .collect()
}
