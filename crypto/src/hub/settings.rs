//! What a hotline has configured and should not be read by the server: names,
//! templates, questions.
//!
//! The hub key keeps the settings from the server. That they are an admin's,
//! and the newest, the roster says: an admin's entry announces each revision
//! with its hash. So neither the server nor a member who has the hub key can
//! make settings up, and who shows older ones must show an older roster too.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::HubError;
use super::hub_key::HubKey;
use super::roster::Change;
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::id::HubId;
use crate::label::Label;
use crate::padding::{MAX_TEXT_BYTES, is_padded_size, pad, unpad};
use crate::primitive::{BOX_OVERHEAD_BYTES, open_box, seal_box};

const MAGIC: [u8; 4] = *b"HLHS";
const VERSION: u8 = 1;
const FRONT_BYTES: usize = MAGIC.len() + 1 + HubId::BYTES + 4 + 4;
/// The longest settings, in bytes.
pub const MAX_SETTINGS_BYTES: usize = MAX_TEXT_BYTES;

/// A revision of a hub's settings, as an admin announced it in the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingsHead {
    /// Whose settings they are.
    pub hub: HubId,
    /// Number of the revision, from 1.
    pub revision: u32,
    /// SHA-256 of the encoded [`SealedSettings`].
    pub hash: [u8; 32],
}

/// One revision of a hub's settings, sealed to whoever has the hub key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSettings {
    hub: HubId,
    epoch: u32,
    revision: u32,
    boxed: Vec<u8>,
}

impl SealedSettings {
    /// Seals a revision: the one after the roster's newest. It counts once an
    /// admin has announced [`SealedSettings::change`] in the roster. With each
    /// new hub key the settings are sealed again, announced in the same entry.
    ///
    /// # Errors
    /// [`HubError::SettingsTooLong`] over [`MAX_SETTINGS_BYTES`],
    /// [`HubError::Entropy`] when the source fails.
    pub fn seal(
        key: &HubKey,
        revision: u32,
        settings: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, HubError> {
        let padded = pad(settings).ok_or(HubError::SettingsTooLong)?;
        let boxed = seal_box(key.expose(), &context(key, revision), &padded, entropy)?;
        Ok(Self {
            hub: key.hub(),
            epoch: key.epoch(),
            revision,
            boxed,
        })
    }

    /// Reads sealed settings.
    ///
    /// # Errors
    /// [`HubError::Malformed`] or [`HubError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, HubError> {
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(HubError::Malformed);
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(HubError::UnknownVersion(version));
        }
        let (hub, epoch, revision) = (cursor.array()?, cursor.u32()?, cursor.u32()?);
        let boxed = &input[cursor.position()..];
        match boxed.len().checked_sub(BOX_OVERHEAD_BYTES) {
            Some(size) if is_padded_size(size) => Ok(Self {
                hub: HubId::from_bytes(hub),
                epoch,
                revision,
                boxed: boxed.to_vec(),
            }),
            _ => Err(HubError::Malformed),
        }
    }

    /// Writes the settings, to be kept on the server.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRONT_BYTES + self.boxed.len());
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.hub.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&self.boxed);
        out
    }

    /// Which epoch's key opens them.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Number of the revision.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// What an admin announces in the roster, so that these become the hub's.
    pub fn change(&self) -> Change {
        Change::Settings {
            revision: self.revision,
            hash: self.hash(),
        }
    }

    /// Opens the settings. `announced` is the newest revision by the verified
    /// roster.
    ///
    /// # Errors
    /// [`HubError::SettingsOutdated`] when a newer revision was announced,
    /// [`HubError::SettingsSwapped`] when these are not the announced ones,
    /// [`HubError::OtherEpoch`] when another hub key is needed,
    /// [`HubError::SettingsRefused`] when they do not open.
    pub fn open(
        &self,
        announced: &SettingsHead,
        key: &HubKey,
    ) -> Result<Zeroizing<Vec<u8>>, HubError> {
        if self.hub == announced.hub && self.revision < announced.revision {
            return Err(HubError::SettingsOutdated {
                found: self.revision,
                announced: announced.revision,
            });
        }
        if self.hash() != announced.hash {
            return Err(HubError::SettingsSwapped);
        }
        if (key.hub(), key.epoch()) != (self.hub, self.epoch) {
            return Err(HubError::OtherEpoch(self.epoch));
        }
        let context = context(key, self.revision);
        let padded = open_box(key.expose(), &context, &self.boxed);
        let settings = padded.and_then(|padded| unpad(&padded));
        settings.ok_or(HubError::SettingsRefused)
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

impl fmt::Debug for SealedSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hub, revision) = (self.hub, self.revision);
        write!(f, "SealedSettings(revision {revision} of {hub})")
    }
}

fn context(key: &HubKey, revision: u32) -> Vec<u8> {
    let mut context = key.context();
    context.extend_from_slice(&revision.to_be_bytes());
    Label::HubSettingsBody.bind(&context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use proptest::prelude::*;

    fn key(epoch: u32) -> HubKey {
        HubKey::generate(HubId::from_bytes([7; 16]), epoch, &mut OsEntropy).unwrap()
    }

    fn announced(sealed: &SealedSettings) -> SettingsHead {
        SettingsHead {
            hub: sealed.hub,
            revision: sealed.revision,
            hash: sealed.hash(),
        }
    }

    #[test]
    fn the_longest_settings_read_back_and_longer_ones_are_refused() {
        let seal = |length| SealedSettings::seal(&key(1), 1, &vec![7; length], &mut OsEntropy);
        let sealed = seal(MAX_SETTINGS_BYTES).unwrap();
        assert_eq!(SealedSettings::decode(&sealed.encode()), Ok(sealed));
        let refused = seal(MAX_SETTINGS_BYTES + 1);
        assert_eq!(refused, Err(HubError::SettingsTooLong));
    }

    #[test]
    fn settings_open_as_the_revision_and_under_the_key_that_sealed_them() {
        let key_1 = key(1);
        let sealed = SealedSettings::seal(&key_1, 3, b"settings", &mut OsEntropy).unwrap();
        let open = |sealed: &SealedSettings, key: &HubKey| sealed.open(&announced(sealed), key);
        assert_eq!(*open(&sealed, &key_1).unwrap(), b"settings");
        assert_eq!(open(&sealed, &key(2)), Err(HubError::OtherEpoch(1)));
        assert_eq!(open(&sealed, &key(1)), Err(HubError::SettingsRefused));
        // Announced anew as a later revision, by an admin who was fooled.
        let mut renumbered = sealed.clone();
        renumbered.revision = 4;
        assert_eq!(open(&renumbered, &key_1), Err(HubError::SettingsRefused));
    }

    proptest! {
        #[test]
        fn changed_settings_are_not_the_announced_ones(place in 0_usize..1_093, bit in 0..8_u32) {
            let key = key(1);
            let sealed = SealedSettings::seal(&key, 2, b"settings", &mut OsEntropy).unwrap();
            let mut bytes = sealed.encode();
            prop_assert_eq!(bytes.len(), 1_093);
            bytes[place] ^= 1 << bit;
            let opened = SealedSettings::decode(&bytes)
                .and_then(|changed| changed.open(&announced(&sealed), &key));
            prop_assert!(opened.is_err());
        }
    }
}
