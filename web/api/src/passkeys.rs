//! Passkeys as the WebAuthn library has them, and what waits for an answer of one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crypto::{Entropy, OsEntropy};
use protocol::Code;
use store::{DeviceId, UserId};
use webauthn_rs::prelude::{PasskeyAuthentication, PasskeyRegistration, Url};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::refusal::Refusal;

/// Attempts that wait at once of one person who makes passkeys, or of one device that logs in. A
/// stranger has none: a login begins with the device's own key. With one more the oldest goes, so
/// nobody fills what others need.
const MAX_ATTEMPTS_EACH: usize = 8;
/// How long a person has, in milliseconds.
const ATTEMPT_MS: u64 = 5 * 60_000;

/// What waits for the answer of a passkey.
pub(crate) enum Attempt {
    /// It is being made.
    Registration {
        /// For whom.
        user: UserId,
        state: Box<PasskeyRegistration>,
    },
    /// It is to sign, for a device that has shown its own key.
    Login {
        /// Which.
        device: DeviceId,
        state: Box<PasskeyAuthentication>,
    },
}

impl Attempt {
    /// Whether `other` is of the same person, or the same device.
    fn is_beside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Registration { user, .. }, Self::Registration { user: other, .. }) => {
                user == other
            }
            (Self::Login { device, .. }, Self::Login { device: other, .. }) => device == other,
            (Self::Registration { .. }, Self::Login { .. })
            | (Self::Login { .. }, Self::Registration { .. }) => false,
        }
    }
}

/// The server's side of passkeys.
pub(crate) struct Passkeys {
    /// `None` where the server has no host name: passkeys belong to one.
    webauthn: Option<Webauthn>,
    /// The hotline does without.
    off: AtomicBool,
    waiting: Mutex<BTreeMap<[u8; 16], (u64, Attempt)>>,
}

impl Passkeys {
    /// For a server of this origin.
    pub(crate) fn new(origin: &str) -> Self {
        Self {
            webauthn: webauthn(origin),
            off: AtomicBool::new(false),
            waiting: Mutex::new(BTreeMap::new()),
        }
    }

    /// Whether the hotline has passkeys, from now on.
    pub(crate) fn allow(&self, allowed: bool) {
        self.off.store(!allowed, Ordering::Relaxed);
    }

    /// What makes and checks passkeys. Refused where the hotline has none.
    pub(crate) fn webauthn(&self) -> Result<&Webauthn, Refusal> {
        if self.off.load(Ordering::Relaxed) {
            return Err(Refusal::new(
                Code::NotAllowed,
                "passkeys are turned off at this hotline",
            ));
        }
        self.webauthn.as_ref().ok_or_else(|| {
            Refusal::conflict(
                "passkeys need a host name, and this server is reached by its address",
            )
        })
    }

    /// Notes an attempt; gives its name.
    pub(crate) fn wait_for(&self, attempt: Attempt, now_ms: u64) -> Result<[u8; 16], Refusal> {
        let mut id = [0; 16];
        OsEntropy.fill(&mut id).map_err(Refusal::internal)?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (until_ms, _)| now_ms < *until_ms);
        let beside = waiting
            .iter()
            .filter(|(_, (_, other))| attempt.is_beside(other));
        let beside: Vec<_> = beside.map(|(id, (until_ms, _))| (*until_ms, *id)).collect();
        if beside.len() >= MAX_ATTEMPTS_EACH
            && let Some((_, oldest)) = beside.iter().min()
        {
            waiting.remove(oldest);
        }
        waiting.insert(id, (now_ms + ATTEMPT_MS, attempt));
        Ok(id)
    }

    /// Takes an attempt out: it is good once.
    pub(crate) fn take(&self, id: [u8; 16], now_ms: u64) -> Option<Attempt> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (until_ms, attempt) = waiting.remove(&id)?;
        (now_ms < until_ms).then_some(attempt)
    }
}

fn webauthn(origin: &str) -> Option<Webauthn> {
    let url = Url::parse(origin).ok()?;
    let builder = WebauthnBuilder::new(url.domain()?, &url).ok()?;
    builder.rp_name("Centralita").build().ok()
}

#[cfg(test)]
mod tests {
    use webauthn_rs::prelude::Uuid;

    use super::*;

    #[test]
    fn passkeys_need_a_host_name() {
        assert!(Passkeys::new("https://hotline.example").webauthn().is_ok());
        let with_port = Passkeys::new("https://hotline.example:8443");
        assert!(with_port.webauthn().is_ok());
        let by_address = Passkeys::new("https://192.0.2.1");
        assert_eq!(by_address.webauthn().unwrap_err().status(), 409);
    }

    #[test]
    fn a_hotline_does_without_passkeys_for_as_long_as_it_likes() {
        let passkeys = Passkeys::new("https://hotline.example");
        passkeys.allow(false);
        assert_eq!(passkeys.webauthn().unwrap_err().status(), 403);
        passkeys.allow(true);
        assert!(passkeys.webauthn().is_ok());
    }

    #[test]
    fn a_person_who_begins_again_and_again_keeps_nobody_out() {
        let passkeys = Passkeys::new("https://hotline.example");
        let begin = |user: u8, now_ms: u64| {
            let webauthn = passkeys.webauthn().unwrap();
            let begun = webauthn.start_passkey_registration(Uuid::nil(), "name", "Name", None);
            let attempt = Attempt::Registration {
                user: UserId([user; 16]),
                state: Box::new(begun.unwrap().1),
            };
            passkeys.wait_for(attempt, now_ms).unwrap()
        };
        let of_other = begin(2, 0);
        let first = begin(1, 1);
        let second = begin(1, 2);
        for now_ms in 3..=u64::try_from(MAX_ATTEMPTS_EACH).unwrap() + 1 {
            begin(1, now_ms);
        }
        assert!(passkeys.take(first, 10).is_none());
        assert!(passkeys.take(second, 10).is_some());
        assert!(passkeys.take(of_other, 10).is_some());
    }
}
