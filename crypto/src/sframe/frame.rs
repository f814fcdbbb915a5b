//! Frames of sound: SFrame with suite 5, AES_256_GCM_SHA512_128.

use std::collections::BTreeMap;
use std::fmt;

use ::sframe::CipherSuite;
use ::sframe::frame::{EncryptedFrameView, MediaFrameView, MonotonicCounter};
use ::sframe::header::SframeHeader;
use ::sframe::key::{DecryptionKey, EncryptionKey};
use zeroize::Zeroizing;

use super::call_key::{CallKey, Member, stream};
use super::error::{CallKeyError, FrameError};
use super::window::Window;
use crate::entropy::{Entropy, EntropyError};
use crate::id::CallId;

/// The longest frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Frames with one key: far more than a call has, far fewer than AES-GCM bears.
pub const MAX_FRAMES: u64 = 1 << 32;
/// How often one member may begin again with one key, for example after
/// reloading a page.
pub const MAX_STREAMS: usize = 32;

/// Keys that frames may still arrive with after a change.
const KEPT_EPOCHS: usize = 2;
const SUITE: CipherSuite = CipherSuite::AesGcm256Sha512;

/// Seals what this device sends.
///
/// Each has a random number of its own in its key id, from which its key is
/// derived: a device that begins again never uses a key with the same counters
/// twice.
pub struct FrameSealer {
    key: EncryptionKey,
    counter: MonotonicCounter,
}

impl FrameSealer {
    /// Begins a stream with a call's key.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn new(
        call_key: &CallKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, EntropyError> {
        let kid =
            stream(entropy)? | u64::from(epoch_byte(call_key)) << 8 | u64::from(call_key.own());
        let own = call_key.member(call_key.own());
        let own = own.expect("a call key knows its own place");
        let base_key = call_key.base_key(own, kid);
        Ok(Self {
            key: EncryptionKey::derive_from(SUITE, kid, &*base_key)
                .expect("HKDF gives keys of the suite's lengths"),
            counter: MonotonicCounter::new(MAX_FRAMES - 1),
        })
    }

    /// Seals one frame: header, ciphertext and tag, at most 29 bytes more.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] when it is too long, [`FrameError::Exhausted`]
    /// after [`MAX_FRAMES`].
    pub fn seal(&mut self, sound: &[u8]) -> Result<Vec<u8>, FrameError> {
        if sound.len() > MAX_FRAME_BYTES {
            return Err(FrameError::Malformed);
        }
        let mut out = Vec::new();
        MediaFrameView::try_new(&mut self.counter, sound)
            .and_then(|frame| frame.encrypt_into(&self.key, &mut out).map(drop))
            .map_err(|_| FrameError::Exhausted)?;
        Ok(out)
    }
}

impl fmt::Debug for FrameSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameSealer(… {:016x})", self.key.key_id())
    }
}

/// Opens what the others in a call send.
pub struct FrameOpener {
    call: CallId,
    /// The newest last.
    epochs: Vec<Epoch>,
}

struct Epoch {
    key: CallKey,
    streams: BTreeMap<u64, Stream>,
}

struct Stream {
    key: DecryptionKey,
    window: Window,
}

impl FrameOpener {
    /// Opens nothing yet.
    pub fn new(call: CallId) -> Self {
        let epochs = Vec::new();
        Self { call, epochs }
    }

    /// Takes a new key of the call. The one before is kept for what is still on
    /// its way.
    ///
    /// # Errors
    /// [`CallKeyError::OtherCall`] or [`CallKeyError::Old`].
    pub fn use_key(&mut self, key: CallKey) -> Result<(), CallKeyError> {
        if key.call() != self.call {
            return Err(CallKeyError::OtherCall);
        }
        let newest = self.epochs.last().map(|epoch| epoch.key.epoch());
        if newest.is_some_and(|newest| key.epoch() <= newest) {
            return Err(CallKeyError::Old);
        }
        if self.epochs.len() == KEPT_EPOCHS {
            self.epochs.remove(0);
        }
        let streams = BTreeMap::new();
        self.epochs.push(Epoch { key, streams });
        Ok(())
    }

    /// Forgets all keys but the newest, when nothing older can be on its way any
    /// more.
    pub fn forget_older(&mut self) {
        let older = self.epochs.len().saturating_sub(1);
        self.epochs.drain(..older);
    }

    /// Opens one frame, and says whose it is.
    ///
    /// # Errors
    /// [`FrameError`]. The frame is not played; the next one may be good.
    pub fn open(&mut self, sealed: &[u8]) -> Result<(Member, Zeroizing<Vec<u8>>), FrameError> {
        if self.epochs.is_empty() {
            return Err(FrameError::NoKey);
        }
        if sealed.len() > MAX_FRAME_BYTES + 64 {
            return Err(FrameError::Malformed);
        }
        let header = SframeHeader::deserialize(sealed).map_err(|_| FrameError::Malformed)?;
        // Every header has one form.
        if !sealed.starts_with(&Vec::from(&header)) {
            return Err(FrameError::Malformed);
        }
        let [.., epoch_byte_of, place] = header.key_id().to_be_bytes();
        let mut epochs = self.epochs.iter_mut().rev();
        let epoch = epochs.find(|epoch| epoch_byte(&epoch.key) == epoch_byte_of);
        epoch
            .ok_or(FrameError::UnknownKey)?
            .open(sealed, &header, place)
    }
}

impl fmt::Debug for FrameOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.epochs.iter().map(|epoch| &epoch.key);
        f.debug_list().entries(keys).finish()
    }
}

impl Epoch {
    fn open(
        &mut self,
        sealed: &[u8],
        header: &SframeHeader,
        place: u8,
    ) -> Result<(Member, Zeroizing<Vec<u8>>), FrameError> {
        let member = self.key.member(place).ok_or(FrameError::UnknownKey)?;
        if place == self.key.own() {
            return Err(FrameError::Reflected);
        }
        let (kid, counter) = (header.key_id(), header.counter());
        if let Some(stream) = self.streams.get_mut(&kid) {
            return Ok((member, stream.open(sealed, counter)?));
        }
        let kids = self.streams.keys();
        let begun = kids.filter(|kid| kid.to_be_bytes()[7] == place).count();
        if begun >= MAX_STREAMS {
            return Err(FrameError::TooManyStreams);
        }
        let base_key = self.key.base_key(member, kid);
        let key = DecryptionKey::derive_from(SUITE, kid, &*base_key);
        let mut stream = Stream {
            key: key.map_err(|_| FrameError::UnknownKey)?,
            window: Window::default(),
        };
        // Only who has the key makes this device remember a stream.
        let sound = stream.open(sealed, counter)?;
        self.streams.insert(kid, stream);
        Ok((member, sound))
    }
}

impl Stream {
    fn open(&mut self, sealed: &[u8], counter: u64) -> Result<Zeroizing<Vec<u8>>, FrameError> {
        if counter >= MAX_FRAMES || !self.window.is_new(counter) {
            return Err(FrameError::Replayed);
        }
        let frame = EncryptedFrameView::try_new(sealed).map_err(|_| FrameError::Malformed)?;
        // As long as the whole frame, so that it never grows and leaves a copy.
        let mut buffer = Zeroizing::new(Vec::with_capacity(sealed.len()));
        let frame = frame.decrypt_into(&self.key, &mut *buffer);
        let frame = frame.map_err(|_| FrameError::Altered)?;
        self.window.insert(counter);
        Ok(Zeroizing::new(frame.payload().to_vec()))
    }
}

fn epoch_byte(key: &CallKey) -> u8 {
    key.epoch().to_be_bytes()[3]
}

#[cfg(test)]
mod tests;
