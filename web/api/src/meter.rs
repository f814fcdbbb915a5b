//! A stream that counts what comes in, once it is asked to.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// What may come in: so many bytes at once, and so many more each second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) at_once_bytes: u32,
    pub(crate) per_s_bytes: u32,
}

/// Counts for one connection.
#[derive(Default)]
pub(crate) struct Meter {
    count: Mutex<Option<Count>>,
    exceeded: Notify,
}

struct Count {
    allowance: Allowance,
    left_bytes: f64,
    at: Instant,
}

impl Meter {
    /// Counts from now on.
    pub(crate) fn begin(&self, allowance: Allowance) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = Some(Count {
            allowance,
            left_bytes: f64::from(allowance.at_once_bytes),
            at: Instant::now(),
        });
    }

    /// Returns when more came in than may.
    pub(crate) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }

    /// Whether nothing more is to be read.
    fn is_used_up(&self) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.as_ref().is_some_and(|count| count.left_bytes < 0.0)
    }

    fn read(&self, bytes: usize, now: Instant) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = count.as_mut() else {
            return;
        };
        let Allowance {
            at_once_bytes,
            per_s_bytes,
        } = count.allowance;
        let more = now.duration_since(count.at).as_secs_f64() * f64::from(per_s_bytes);
        let read = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        count.left_bytes = f64::from(at_once_bytes).min(count.left_bytes + more) - read;
        count.at = now;
        if count.left_bytes < 0.0 {
            self.exceeded.notify_one();
        }
    }
}

/// A stream with its meter. When that is used up, nothing is read any more: who follows the meter
/// ends the connection.
pub(crate) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub(crate) const fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.meter.is_used_up() {
            return Poll::Pending;
        }
        let before = bytes.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, bytes);
        self.meter
            .read(bytes.filled().len() - before, Instant::now());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ALLOWANCE: Allowance = Allowance {
        at_once_bytes: 1000,
        per_s_bytes: 10,
    };

    #[test]
    fn what_comes_in_slowly_goes_on_for_ever() {
        let meter = Meter::default();
        let mut now = Instant::now();
        meter.read(usize::MAX, now);
        assert!(!meter.is_used_up(), "it counts when it is asked to");
        meter.begin(ALLOWANCE);
        for _ in 0..1000 {
            now += Duration::from_secs(10);
            meter.read(100, now);
            assert!(!meter.is_used_up());
        }
        meter.read(900, now);
        assert!(!meter.is_used_up());
        meter.read(1, now);
        assert!(meter.is_used_up());
    }

    #[tokio::test]
    async fn too_much_is_told_and_not_read() {
        let meter = Arc::new(Meter::default());
        meter.begin(ALLOWANCE);
        let flood = vec![0; 1001];
        let mut stream = Metered::new(&flood[..], Arc::clone(&meter));
        let mut read = vec![0; 2000];
        let count = tokio::io::AsyncReadExt::read(&mut stream, &mut read).await;
        assert_eq!(count.unwrap(), 1001);
        meter.exceeded().await;
        let more = tokio::io::AsyncReadExt::read(&mut stream, &mut read);
        let more = tokio::time::timeout(Duration::from_millis(20), more).await;
        assert!(more.is_err());
    }
}
