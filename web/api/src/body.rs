//! Bodies, taken off the line within a size and a time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;

/// How much of a body that is too long is still taken off the line, in bytes.
const OVERRUN_MAX_BYTES: usize = 1024 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than it may be.
    #[error("the body is too long")]
    TooLong,
    /// It took longer than it may.
    #[error("the body came too slowly")]
    TooSlow,
    /// The connection ended within it.
    #[error("the body broke off")]
    BrokeOff,
}

/// Reads a body of at most `max_bytes` bytes within `patience`.
///
/// What is too long is read a little further and thrown away: a client that still writes when the
/// connection is closed never sees the answer.
///
/// # Errors
///
/// Says what was wrong with it; the connection can still be answered, unless it broke off.
pub async fn read<B>(body: B, max_bytes: usize, patience: Duration) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    // Without growing: a body takes no more than its room.
    let announced = body.size_hint().exact();
    let announced = announced.map_or(max_bytes, |bytes| {
        usize::try_from(bytes).unwrap_or(max_bytes)
    });
    let mut kept = Vec::with_capacity(announced.min(max_bytes));
    let taken = take(body, max_bytes, |data| kept.extend_from_slice(data));
    match tokio::time::timeout(patience, taken).await {
        Ok(taken) => taken.map(|()| kept.into()),
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// Takes a body off the line as [`read`] does, and keeps nothing of it: that of a request which is
/// refused whatever it holds.
pub(crate) async fn discard<B>(body: B, max_bytes: usize, patience: Duration)
where
    B: Body<Data = Bytes> + Unpin,
{
    // The request is refused, however its body ends.
    let _ = tokio::time::timeout(patience, take(body, max_bytes, |_| ())).await;
}

/// Hands on what is not too long.
async fn take<B>(
    mut body: B,
    max_bytes: usize,
    mut hand_on: impl FnMut(&Bytes),
) -> Result<(), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    // A connection that dies may leave a body that ends as if it were whole.
    let announced = body.size_hint().exact();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::BrokeOff)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= max_bytes {
            hand_on(&data);
        } else if length > max_bytes.saturating_add(OVERRUN_MAX_BYTES) {
            break;
        }
    }
    if length > max_bytes {
        return Err(BodyError::TooLong);
    }
    if announced.is_some_and(|announced| announced != length as u64) {
        return Err(BodyError::BrokeOff);
    }
    Ok(())
}
