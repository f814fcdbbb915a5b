//! Hearing what callers left.

use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use crypto::record::{RecordAuthor, RecordError, RecordHeader, RecordKind, RecordPlace};
use crypto::{DeviceId, Error, HubId, RecordId, VerifyingKey, VoicemailMeta, VoicemailReader};
use zeroize::Zeroizing;

use crate::refusal::{Code, Refusal};
use crate::session::Session;

/// The server's own key, with which it signs what it sealed as it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerKey {
    /// Names it.
    pub id: DeviceId,
    /// Checks its signatures.
    pub key: VerifyingKey,
}

impl ServerKey {
    /// Takes a server's id and public key, as the app has pinned them.
    ///
    /// # Errors
    /// [`Code::Malformed`] when the key is none.
    pub fn new(id: DeviceId, key: &[u8]) -> Result<Self, Refusal> {
        let bytes: Option<&[u8; VerifyingKey::BYTES]> = key.try_into().ok();
        let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
        let sentence = "the server's key is malformed";
        let key = key.ok_or_else(|| Refusal::new(Code::Malformed, sentence))?;
        Ok(Self { id, key })
    }
}

/// What the server signed of a recording, and where it says that it belongs.
#[derive(Debug, Clone, Copy)]
pub struct SignedRecording<'a> {
    /// The header that is kept beside the file.
    pub header: &'a [u8],
    /// The hotline whose recording was asked for.
    pub hub: HubId,
    /// The record that was asked for.
    pub record: RecordId,
    /// Who must have signed.
    pub server: ServerKey,
}

/// A recording that was opened: s16le samples of one channel, in chunks of
/// 16 KiB.
pub struct Voicemail(VoicemailReader<Cursor<Arc<[u8]>>>);

impl Voicemail {
    /// The facts of the recording, in the file itself. Where nothing is signed,
    /// the caller of [`Session::open_voicemail`] compares hub and recording with
    /// what was asked for.
    pub fn meta(&self) -> &VoicemailMeta {
        self.0.meta()
    }

    /// Whether the recording has its authentic end.
    pub fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    /// Chunks of sound.
    pub fn chunk_count(&self) -> u64 {
        self.0.chunk_count()
    }

    /// The sound of one chunk.
    ///
    /// # Errors
    /// [`Code::Altered`], or [`Code::Malformed`] when there is no such chunk.
    pub fn chunk(&mut self, index: u64) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(self.0.read_chunk(index)?)
    }
}

impl fmt::Debug for Voicemail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Voicemail({} chunks)", self.chunk_count())
    }
}

impl Session {
    /// Opens a recording that was sealed to this person, with whichever
    /// generation of their key. `signed` is given where the server signs its
    /// recordings.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::NotForYou`],
    /// [`Code::Moved`], [`Code::Altered`], or what is wrong with the file.
    pub fn open_voicemail(
        &self,
        file: Vec<u8>,
        signed: Option<SignedRecording<'_>>,
    ) -> Result<Voicemail, Refusal> {
        let person = self.opened()?.person()?;
        if let Some(signed) = &signed {
            check_signed(&file, signed)?;
        }
        let file: Arc<[u8]> = file.into();
        // The newest key is the likeliest.
        for secret in person.readers.values().rev() {
            match VoicemailReader::open(Cursor::new(Arc::clone(&file)), secret) {
                Err(Error::NotARecipient) => {}
                opened => return named(Voicemail(opened?), signed),
            }
        }
        Err(Error::NotARecipient.into())
    }
}

/// The names in the file must be those that were asked for.
fn named(opened: Voicemail, signed: Option<SignedRecording<'_>>) -> Result<Voicemail, Refusal> {
    let meta = opened.meta();
    let others = signed.is_some_and(|signed| {
        meta.hub != signed.hub.to_string() || meta.recording != signed.record.to_string()
    });
    match others {
        true => Err(RecordError::Moved.into()),
        false => Ok(opened),
    }
}

fn check_signed(file: &[u8], signed: &SignedRecording<'_>) -> Result<(), Refusal> {
    let header = RecordHeader::decode(signed.header)?;
    let place = RecordPlace {
        kind: RecordKind::Voicemail,
        hub: signed.hub,
        record: signed.record,
    };
    if header.context().place() != place {
        return Err(RecordError::Moved.into());
    }
    header.verify(&RecordAuthor::Ingest {
        server: signed.server.id,
        key: signed.server.key,
    })?;
    Ok(header.check_body(file)?)
}
