//! Self-authenticating nonces with a replay window (RFC 7616 5.4, 5.5).
//!
//! A nonce carries its time and some randomness under an HMAC, so that issuing
//! one costs no memory; only nonces that a valid answer has used are remembered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::digest::hex;
use crate::entropy::Entropy;

/// How long a nonce may be used.
pub const NONCE_LIFETIME_S: u64 = 300;
/// How many used nonces are remembered; beyond it the oldest become stale.
pub const MAX_USED_NONCES: usize = 4096;

const TIME_LEN: usize = 8;
const RANDOM_LEN: usize = 8;
const BODY_LEN: usize = TIME_LEN + RANDOM_LEN;
const MAC_LEN: usize = 16;
const NONCE_LEN: usize = BODY_LEN + MAC_LEN;
/// Bits of the window of counts below the highest seen.
const WINDOW_BITS: u32 = 64;

/// Issues and checks nonces.
pub struct NonceKeeper {
    key: [u8; 32],
    epoch: Instant,
    /// By issue time and randomness.
    used: BTreeMap<[u8; BODY_LEN], Window>,
    /// Nonces issued at or before this time (milliseconds since `epoch`) are
    /// stale, because the record of their use has been given up.
    floor_ms: Option<u64>,
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceCheck {
    /// Ours, in time.
    Fresh,
    /// Not ours (any more), or too old.
    Stale,
}

#[derive(Clone, Copy)]
struct Window {
    highest: u32,
    /// Bit n: `highest - n` has been used.
    seen: u64,
}

impl NonceKeeper {
    /// Takes its key from `entropy`.
    pub fn new(entropy: &mut dyn Entropy, now: Instant) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self {
            key,
            epoch: now,
            used: BTreeMap::new(),
            floor_ms: None,
        }
    }

    /// A new nonce: 64 hex digits.
    pub fn issue(&self, entropy: &mut dyn Entropy, now: Instant) -> String {
        let mut body = [0; BODY_LEN];
        body[..TIME_LEN].copy_from_slice(&self.elapsed_ms(now).to_be_bytes());
        entropy.fill(&mut body[TIME_LEN..]);
        let mut nonce = [0; NONCE_LEN];
        nonce[..BODY_LEN].copy_from_slice(&body);
        nonce[BODY_LEN..].copy_from_slice(&self.mac(&body));
        hex(&nonce)
    }

    /// Whether `nonce` is ours and in time. Says nothing on replays, see [`Self::use_once`].
    #[must_use]
    pub fn check(&self, nonce: &str, now: Instant) -> NonceCheck {
        match self.open(nonce, now) {
            Some(_) => NonceCheck::Fresh,
            None => NonceCheck::Stale,
        }
    }

    /// Marks the count as used; `false` when it was used before, has fallen out
    /// of the window, or the nonce is stale. Call it only once the response is
    /// known to be right, so that strangers cannot burn counts or fill the table.
    pub fn use_once(&mut self, nonce: &str, count: u32, now: Instant) -> bool {
        let Some(body) = self.open(nonce, now) else {
            return false;
        };
        if count == 0 {
            return false;
        }
        if let Some(window) = self.used.get_mut(&body) {
            return window.mark(count);
        }
        self.make_room(now);
        self.used.insert(
            body,
            Window {
                highest: count,
                seen: 1,
            },
        );
        true
    }

    /// How many used nonces are remembered.
    #[must_use]
    pub fn used_len(&self) -> usize {
        self.used.len()
    }

    fn open(&self, nonce: &str, now: Instant) -> Option<[u8; BODY_LEN]> {
        let raw = unhex(nonce)?;
        let (body, mac) = raw.split_first_chunk::<BODY_LEN>()?;
        if !bool::from(self.mac(body).ct_eq(mac)) {
            return None;
        }
        let issued = issued_ms(body);
        let age = self.elapsed_ms(now).saturating_sub(issued);
        let forgotten = self.floor_ms.is_some_and(|floor| issued <= floor);
        (age < NONCE_LIFETIME_S * 1000 && !forgotten).then_some(*body)
    }

    fn make_room(&mut self, now: Instant) {
        let oldest_useful = self.elapsed_ms(now).saturating_sub(NONCE_LIFETIME_S * 1000);
        while let Some((body, _)) = self.used.first_key_value() {
            let body = *body;
            let issued = issued_ms(&body);
            if issued > oldest_useful && self.used.len() < MAX_USED_NONCES {
                return;
            }
            if issued > oldest_useful {
                self.floor_ms = Some(issued);
            }
            self.used.remove(&body);
        }
    }

    fn mac(&self, body: &[u8; BODY_LEN]) -> [u8; MAC_LEN] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(body);
        let full = mac.finalize().into_bytes();
        let mut out = [0; MAC_LEN];
        out.copy_from_slice(&full[..MAC_LEN]);
        out
    }

    fn elapsed_ms(&self, now: Instant) -> u64 {
        let elapsed: Duration = now.saturating_duration_since(self.epoch);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Window {
    fn mark(&mut self, count: u32) -> bool {
        if count > self.highest {
            let shift = count - self.highest;
            self.seen = if shift < WINDOW_BITS {
                (self.seen << shift) | 1
            } else {
                1
            };
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        if back >= WINDOW_BITS || self.seen & (1 << back) != 0 {
            return false;
        }
        self.seen |= 1 << back;
        true
    }
}

fn issued_ms(body: &[u8; BODY_LEN]) -> u64 {
    let mut time = [0; TIME_LEN];
    time.copy_from_slice(&body[..TIME_LEN]);
    u64::from_be_bytes(time)
}

fn unhex(text: &str) -> Option<[u8; NONCE_LEN]> {
    let bytes = text.as_bytes();
    if bytes.len() != NONCE_LEN * 2 {
        return None;
    }
    let mut out = [0; NONCE_LEN];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(pair[0])? * 16 + digit(pair[1])?;
        *slot = u8::try_from(value).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(u8);

    impl Entropy for Counter {
        fn fill(&mut self, out: &mut [u8]) {
            for byte in out {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
        }
    }

    #[test]
    fn is_valid_for_300_seconds_and_only_as_issued() {
        let start = Instant::now();
        let mut entropy = Counter(0);
        let keeper = NonceKeeper::new(&mut entropy, start);
        let nonce = keeper.issue(&mut entropy, start);
        assert_eq!(keeper.check(&nonce, start), NonceCheck::Fresh);
        let last = start + Duration::from_millis(299_999);
        assert_eq!(keeper.check(&nonce, last), NonceCheck::Fresh);
        let after = start + Duration::from_secs(300);
        assert_eq!(keeper.check(&nonce, after), NonceCheck::Stale);
        for at in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_eq!(keeper.check(&forged, start), NonceCheck::Stale);
        }
        assert_eq!(keeper.check("", start), NonceCheck::Stale);
    }

    #[test]
    fn another_process_does_not_know_it() {
        let start = Instant::now();
        let mut entropy = Counter(0);
        let first = NonceKeeper::new(&mut entropy, start);
        let second = NonceKeeper::new(&mut entropy, start);
        let nonce = first.issue(&mut entropy, start);
        assert_eq!(second.check(&nonce, start), NonceCheck::Stale);
    }

    #[test]
    fn each_count_is_good_once_even_out_of_order() {
        let start = Instant::now();
        let mut entropy = Counter(0);
        let mut keeper = NonceKeeper::new(&mut entropy, start);
        let nonce = keeper.issue(&mut entropy, start);
        assert!(!keeper.use_once(&nonce, 0, start));
        assert!(keeper.use_once(&nonce, 2, start));
        assert!(!keeper.use_once(&nonce, 2, start));
        assert!(keeper.use_once(&nonce, 1, start));
        assert!(!keeper.use_once(&nonce, 1, start));
        assert!(keeper.use_once(&nonce, 0x100, start));
        assert!(!keeper.use_once(&nonce, 3, start), "fell out of the window");
        assert!(keeper.use_once(&nonce, 0xff, start));
        assert!(keeper.use_once(&nonce, u32::MAX, start));
    }

    #[test]
    fn table_is_bounded_and_what_it_forgets_cannot_be_replayed() {
        let start = Instant::now();
        let mut entropy = Counter(0);
        let mut keeper = NonceKeeper::new(&mut entropy, start);
        let mut first = None;
        for n in 0..(MAX_USED_NONCES as u64 + 10) {
            let now = start + Duration::from_millis(n);
            let nonce = keeper.issue(&mut entropy, now);
            assert!(keeper.use_once(&nonce, 1, now));
            first.get_or_insert(nonce);
        }
        assert_eq!(keeper.used_len(), MAX_USED_NONCES);
        let now = start + Duration::from_secs(10);
        assert!(!keeper.use_once(&first.expect("set in the loop"), 1, now));
        let much_later = start + Duration::from_secs(1000);
        let nonce = keeper.issue(&mut entropy, much_later);
        assert!(keeper.use_once(&nonce, 1, much_later));
        assert_eq!(keeper.used_len(), 1);
    }
}
