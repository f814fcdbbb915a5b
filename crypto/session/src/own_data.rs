//! A person's own records: erased, or taken away in one file.

use std::str::FromStr;

use crypto::identity::Reader;
use crypto::record::{Erasure, Export, ExportFacts, OpeningKey, RecordError, SealedRecord};
use crypto::{HubId, ReaderPublicKey, RecordId, UserId};
use zeroize::Zeroizing;

use crate::refusal::{Code, Refusal};
use crate::session::Session;

impl Session {
    /// Signs that `record`, with all revisions up to this one, is to be erased.
    ///
    /// # Errors
    /// [`Code::Locked`], or what is wrong with the record.
    pub fn sign_erasure(&self, record: &[u8], now_ms: u64) -> Result<Vec<u8>, Refusal> {
        let keys = &self.opened()?.keys;
        let last = SealedRecord::decode(record)?;
        Ok(Erasure::sign(last.front(), keys, now_ms).encode())
    }

    /// Seals what this person takes away from a hotline into one file, for
    /// themselves alone: for their devices, and with `key` (`hlpub1…`) also for the
    /// secret key file that they keep offline, which opens it without any device
    /// (`centralita export open`).
    ///
    /// # Errors
    /// [`Code::Locked`],
    /// [`Code::Mistyped`] for a `key` that is none,
    /// [`Code::KeyNeeded`],
    /// [`Code::OutOfTurn`] as of [`Session::seal_note`],
    /// [`Code::Limit`] beyond 256 MiB,
    /// [`Code::NoRandomness`].
    pub fn seal_export(
        &mut self,
        hub: HubId,
        plaintext: &[u8],
        key: Option<&str>,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let key = key.map(str::trim).map(ReaderPublicKey::from_str);
        let key = key
            .transpose()
            .map_err(|error| Refusal::new(Code::Mistyped, error.to_string()))?;
        let user = self.user();
        let (open, entropy) = self.parts()?;
        let facts = ExportFacts {
            hub,
            user,
            export: RecordId::generate(entropy)?,
            created_at_ms: now_ms,
        };
        let mut readers = vec![open.sealing_key()?.reader()];
        if let Some(key) = key {
            readers.push(Reader {
                // It is nobody's per-user key: an id that nobody else has.
                user: UserId::generate(entropy)?,
                generation: 1,
                key,
            });
        }
        Ok(Export::seal(facts, plaintext, &readers, entropy)?.encode())
    }

    /// Opens such a file, also after the person's key was rotated.
    ///
    /// # Errors
    /// [`Code::Locked`],
    /// [`Code::NotForYou`], or what is wrong with the
    /// file.
    pub fn open_export(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let person = self.opened()?.person()?;
        let export = Export::decode(file)?;
        let user = self.user();
        let mut entries = export.entries().iter();
        let entry = entries.find(|entry| entry.user() == user);
        let generation = entry.ok_or(RecordError::NotAReader)?.generation();
        let secret = person.readers.get(&generation);
        let secret = secret.ok_or(RecordError::NotAReader)?;
        let key = OpeningKey::PerUserKey {
            user,
            generation,
            secret,
        };
        Ok(export.open(&key)?)
    }
}
