//! The room on the server where two devices meet.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::RoomRefused;
use super::message::MAX_MESSAGE_BYTES;
use crate::entropy::{Entropy, EntropyError};

/// How long a room exists, in milliseconds.
pub const ROOM_LIFETIME_MS: u64 = 5 * 60 * 1000;
/// Messages of a whole conversation.
pub const MAX_MESSAGES: usize = 5;

/// Shows the server that a device is one of the two. Each device makes its own
/// when it enters. Wiped from memory when dropped.
#[derive(Clone)]
pub struct RoomPass(Zeroizing<[u8; Self::BYTES]>);

impl RoomPass {
    /// Bytes of a pass.
    pub const BYTES: usize = 16;

    /// Makes a new pass.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        entropy.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Takes what was sent.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// To send to the server.
    pub fn reveal(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl fmt::Debug for RoomPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomPass(…)")
    }
}

/// A conversation of two devices, kept in memory for at most five minutes.
///
/// The old device speaks first, then they take turns; after five messages
/// nothing more is taken. The server learns no secret and checks no content: it
/// keeps third parties and floods out. A room is used once; its id must not be
/// opened again while it lives.
pub struct Room {
    opened_at_ms: u64,
    new: RoomPass,
    old: Option<RoomPass>,
    messages: Vec<Vec<u8>>,
}

impl Room {
    /// Opens a room for a new device.
    pub fn open(new: RoomPass, now_ms: u64) -> Self {
        Self {
            opened_at_ms: now_ms,
            new,
            old: None,
            messages: Vec::new(),
        }
    }

    /// When it is to be thrown away, in Unix milliseconds.
    pub fn expires_at_ms(&self) -> u64 {
        self.opened_at_ms.saturating_add(ROOM_LIFETIME_MS)
    }

    /// Lets the old device in.
    ///
    /// # Errors
    /// [`RoomRefused::Full`], [`RoomRefused::Expired`].
    pub fn join(&mut self, old: RoomPass, now_ms: u64) -> Result<(), RoomRefused> {
        self.check_time(now_ms)?;
        if self.old.is_some() || self.new.is(&old) {
            return Err(RoomRefused::Full);
        }
        self.old = Some(old);
        Ok(())
    }

    /// Takes a message of the device whose turn it is.
    ///
    /// # Errors
    /// [`RoomRefused`].
    pub fn post(
        &mut self,
        pass: &RoomPass,
        message: Vec<u8>,
        now_ms: u64,
    ) -> Result<(), RoomRefused> {
        self.check_time(now_ms)?;
        let is_old = self.is_old(pass)?;
        let turn_of_old = self.messages.len().is_multiple_of(2);
        if self.messages.len() >= MAX_MESSAGES || is_old != turn_of_old {
            return Err(RoomRefused::OutOfTurn);
        }
        if message.is_empty() || message.len() > MAX_MESSAGE_BYTES {
            return Err(RoomRefused::Length);
        }
        self.messages.push(message);
        Ok(())
    }

    /// The message at `place` (from 0), if it was posted by now.
    ///
    /// # Errors
    /// [`RoomRefused::Stranger`], [`RoomRefused::Expired`].
    pub fn read(
        &self,
        pass: &RoomPass,
        place: usize,
        now_ms: u64,
    ) -> Result<Option<&[u8]>, RoomRefused> {
        self.check_time(now_ms)?;
        self.is_old(pass)?;
        Ok(self.messages.get(place).map(Vec::as_slice))
    }

    fn check_time(&self, now_ms: u64) -> Result<(), RoomRefused> {
        if now_ms >= self.expires_at_ms() {
            return Err(RoomRefused::Expired);
        }
        Ok(())
    }

    fn is_old(&self, pass: &RoomPass) -> Result<bool, RoomRefused> {
        if self.old.as_ref().is_some_and(|old| old.is(pass)) {
            return Ok(true);
        }
        if self.new.is(pass) {
            return Ok(false);
        }
        Err(RoomRefused::Stranger)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({} messages)", self.messages.len())
    }
}
