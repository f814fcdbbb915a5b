//! Live events, sealed to whoever has the hub key of their epoch.

use zeroize::Zeroizing;

use super::error::HubError;
use super::hub_key::HubKey;
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::id::DeviceId;
use crate::identity::TransportPublicKey;
use crate::label::Label;
use crate::primitive::{BOX_OVERHEAD_BYTES, derive, open_box, seal_box};

const MAGIC: [u8; 4] = *b"HLHE";
const VERSION: u8 = 1;
const FRONT_BYTES: usize = MAGIC.len() + 1 + 4;
const LENGTH_BYTES: usize = 2;
/// The sizes to which events are padded, in bytes: the relay sees one of four.
pub const EVENT_BUCKETS_BYTES: [usize; 4] = [256, 1_024, 4_096, 8_192];
/// The longest event, in bytes.
pub const MAX_EVENT_BYTES: usize = EVENT_BUCKETS_BYTES[3] - LENGTH_BYTES;
/// The relay's time of an event is bound to this many seconds.
pub const EVENT_TIME_BUCKET_S: u64 = 60;

/// What the relay sees of an event, and cannot change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventEnvelope {
    /// The device that sends.
    pub sender: DeviceId,
    /// The sender's attested transport key, which signs the relay event.
    pub transport_key: TransportPublicKey,
    /// Kind of the relay event.
    pub kind: u32,
    /// Time of the relay event, in Unix seconds.
    pub created_at_s: u64,
}

impl HubKey {
    /// Seals an event, padded.
    ///
    /// # Errors
    /// [`HubError::EventTooLong`] over [`MAX_EVENT_BYTES`],
    /// [`HubError::Entropy`] when the source fails.
    pub fn seal_event(
        &self,
        envelope: &EventEnvelope,
        event: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, HubError> {
        let padded = pad(event)?;
        let key = self.event_key(envelope.sender);
        let boxed = seal_box(&key, &self.body_context(envelope), &padded, entropy)?;
        let mut out = Vec::with_capacity(FRONT_BYTES + boxed.len());
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&self.epoch().to_be_bytes());
        out.extend_from_slice(&boxed);
        Ok(out)
    }

    /// The epoch whose key opens a sealed event.
    ///
    /// # Errors
    /// [`HubError::Malformed`] or [`HubError::UnknownVersion`].
    pub fn epoch_of_event(sealed: &[u8]) -> Result<u32, HubError> {
        read(sealed).map(|(epoch, _)| epoch)
    }

    /// Opens an event that came in this envelope.
    ///
    /// Every member has the hub key: that an event opens says that a member
    /// sealed it; that its sender did, the relay event's signature says.
    ///
    /// # Errors
    /// [`HubError::OtherEpoch`] when another key is needed,
    /// [`HubError::EventRefused`] when it does not open.
    pub fn open_event(
        &self,
        envelope: &EventEnvelope,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HubError> {
        let (epoch, boxed) = read(sealed)?;
        if epoch != self.epoch() {
            return Err(HubError::OtherEpoch(epoch));
        }
        let key = self.event_key(envelope.sender);
        let padded =
            open_box(&key, &self.body_context(envelope), boxed).ok_or(HubError::EventRefused)?;
        unpad(&padded).ok_or(HubError::EventRefused)
    }

    fn event_key(&self, sender: DeviceId) -> Zeroizing<[u8; 32]> {
        let mut context = self.context();
        context.extend_from_slice(sender.as_bytes());
        derive(self.expose(), &Label::HubEventKey.bind(&context))
    }

    fn body_context(&self, envelope: &EventEnvelope) -> Vec<u8> {
        let mut context = self.context();
        context.extend_from_slice(envelope.sender.as_bytes());
        context.extend_from_slice(envelope.transport_key.as_bytes());
        context.extend_from_slice(&envelope.kind.to_be_bytes());
        let bucket = envelope.created_at_s / EVENT_TIME_BUCKET_S;
        context.extend_from_slice(&bucket.to_be_bytes());
        Label::HubEventBody.bind(&context)
    }
}

fn read(sealed: &[u8]) -> Result<(u32, &[u8]), HubError> {
    let mut cursor = Cursor::new(sealed);
    if cursor.array()? != MAGIC {
        return Err(HubError::Malformed);
    }
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(HubError::UnknownVersion(version));
    }
    let epoch = cursor.u32()?;
    let boxed = sealed.get(FRONT_BYTES..).unwrap_or_default();
    match EVENT_BUCKETS_BYTES.contains(&boxed.len().saturating_sub(BOX_OVERHEAD_BYTES)) {
        true => Ok((epoch, boxed)),
        false => Err(HubError::Malformed),
    }
}

/// `u16 length || event || zeros`, up to the smallest bucket that holds it.
fn pad(event: &[u8]) -> Result<Zeroizing<Vec<u8>>, HubError> {
    let needed = event.len() + LENGTH_BYTES;
    let bucket = EVENT_BUCKETS_BYTES
        .into_iter()
        .find(|bucket| *bucket >= needed)
        .ok_or(HubError::EventTooLong)?;
    let length = u16::try_from(event.len()).map_err(|_| HubError::EventTooLong)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(bucket));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(event);
    padded.resize(bucket, 0);
    Ok(padded)
}

fn unpad(padded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>()?;
    let (event, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let event = Zeroizing::new(event.to_vec());
    padding.iter().all(|byte| *byte == 0).then_some(event)
}
