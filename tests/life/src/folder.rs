//! What a device keeps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::{Blob, EntryCode, Id, IngestKeyView, Tokens};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const DEVICE: &str = "device.json";
const SEEN: &str = "seen.json";
const TOKENS: &str = "tokens.json";

/// The server that a person means, as they were told by somebody whom they trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Scheme, host, and port unless it is 443.
    pub origin: String,
    /// The certificate of its own authority.
    pub ca_pem: String,
    /// The key of its key-transparency log, as text.
    pub log_key: String,
    /// The keys of those who confirm that log. All must; where there are none, nobody does.
    pub witnesses: Vec<String>,
    /// The key with which it signs what it seals.
    pub ingest: IngestKeyView,
}

/// What an admin passes on to whom they invite, by a way that they trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Where.
    pub server: Server,
    /// What lets somebody in, once.
    pub code: EntryCode,
    /// Into which hub.
    pub hub: Id,
    /// How far the hub's roster goes: the server can show no other.
    pub roster_head: Blob,
    /// What the server never has: by it, the admins know who was invited (`hlinv1…`).
    pub secret: String,
}

/// A device at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeviceFile {
    pub(crate) server: Server,
    pub(crate) user: Id,
    pub(crate) device: Id,
    /// The device's keys, sealed under the PIN and the shares.
    pub(crate) vault: Blob,
    /// What an app has in the system's key store.
    pub(crate) device_share: Blob,
    /// The name under which the server keeps its share; nothing while it keeps none.
    pub(crate) server_share: Option<Id>,
}

/// What a device has seen, so that nobody takes it back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The heads of people's device lists.
    pub(crate) people: BTreeMap<String, Blob>,
    /// The heads of rosters.
    pub(crate) rosters: BTreeMap<String, Blob>,
    /// The newest state of each record: revision, list of readers.
    pub(crate) records: BTreeMap<String, (u32, u32)>,
    /// The last believed checkpoint of the key log.
    pub(crate) checkpoint: Option<String>,
}

/// The folder of a device.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// At `path`, which is made if need be.
    ///
    /// # Errors
    /// [`Failure::Folder`].
    pub fn new(path: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether a device lives in it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.0.join(DEVICE).exists()
    }

    pub(crate) fn device(&self) -> Result<DeviceFile, Failure> {
        let device = self.read(DEVICE)?;
        device.ok_or_else(|| Failure::Misused("there is no device in this folder yet".to_owned()))
    }

    pub(crate) fn keep_device(&self, device: &DeviceFile) -> Result<(), Failure> {
        self.write(DEVICE, device)
    }

    pub(crate) fn seen(&self) -> Result<Seen, Failure> {
        Ok(self.read(SEEN)?.unwrap_or_default())
    }

    pub(crate) fn keep_seen(&self, seen: &Seen) -> Result<(), Failure> {
        self.write(SEEN, seen)
    }

    pub(crate) fn tokens(&self) -> Result<Option<Tokens>, Failure> {
        self.read(TOKENS)
    }

    pub(crate) fn keep_tokens(&self, tokens: Option<&Tokens>) -> Result<(), Failure> {
        match tokens {
            Some(tokens) => self.write(TOKENS, tokens),
            None => match std::fs::remove_file(self.0.join(TOKENS)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            },
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        match std::fs::read(self.0.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Failure::Misused(format!("{name} is damaged: {error}"))),
        }
    }

    /// Replaces the file in one step.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(value).expect("plain values are JSON");
        let new = self.0.join(format!("{name}.new"));
        std::fs::write(&new, text)?;
        std::fs::rename(new, self.0.join(name))?;
        Ok(())
    }
}
