//! REGISTER with digest authentication.

use std::time::{Duration, Instant};

use sip::digest::{Credentials, choose_challenge};
use sip::header::{HeaderName, ParseValue as _};
use sip::headers::AuthParams;
use sip::message::Response;
use sip::text::Encode as _;

use super::repeat::Pending;
use super::wire::{self, Dialog, Draft};
use super::{Cue, Endpoint};

/// What is asked for; the exchange grants from one minute on.
const EXPIRES_S: u64 = 180;
/// Wrong answers in a row after which a phone pauses.
const MAX_TRIES: u32 = 3;

/// A phone account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
    /// The domain, which is also the realm.
    pub realm: String,
}

pub(super) struct Registration {
    account: Account,
    dialog: Dialog,
    tries: u32,
    leaving: bool,
}

impl Registration {
    pub(super) fn new(account: Account) -> Self {
        Self {
            account,
            dialog: Dialog::default(),
            tries: 0,
            leaving: false,
        }
    }

    pub(super) fn forget(&mut self) {
        self.dialog = Dialog::default();
        self.leaving = false;
    }
}

impl Endpoint {
    /// Takes the phone off the network in good order.
    pub fn unregister(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            registration.leaving = true;
            self.pending.retain(|pending| pending.method != "REGISTER");
            self.register(now);
        }
    }

    pub(super) fn register_soon(&mut self, now: Instant) {
        if self.registration.is_some() {
            let wait = self.rng.millis(0, 3000);
            self.at(now + wait, Cue::Register);
        }
    }

    pub(super) fn register(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            registration.tries = 0;
            self.send_register("", now);
        }
    }

    fn send_register(&mut self, authorization: &str, now: Instant) {
        let branch = self.branch();
        let (tag, call_id, contact) = (self.token("r"), self.token("reg"), self.contact());
        let server = self.server;
        let Some(registration) = &mut self.registration else {
            return;
        };
        let Account { user, realm, .. } = &registration.account;
        if registration.dialog.call_id.is_empty() {
            registration.dialog = Dialog {
                call_id,
                local: format!("<sip:{user}@{realm}>;tag={tag}"),
                remote: format!("<sip:{user}@{realm}>"),
                target: format!("sip:{server}"),
                sequence: 0,
            };
        }
        registration.dialog.sequence += 1;
        let expires = match registration.leaving {
            true => 0,
            false => EXPIRES_S,
        };
        let more = format!("Contact: <{contact}>;expires={expires}\r\n{authorization}");
        let draft = Draft {
            method: "REGISTER",
            sequence: registration.dialog.sequence,
            from: self.address,
            branch: &branch,
            more: &more,
            body: "",
            without_length: false,
        };
        let bytes = wire::request(&registration.dialog, &draft);
        self.out.push(bytes.clone());
        let sequence = registration.dialog.sequence;
        let line = String::new();
        let pending = Pending::new(branch, "REGISTER", line, sequence, bytes, now);
        self.pending.push(pending);
    }

    pub(super) fn register_answered(&mut self, status: u16, response: &Response, now: Instant) {
        let leaving = self.registration.as_ref().is_some_and(|it| it.leaving);
        match status {
            200 if leaving => {}
            200 => {
                let wait = self.rng.secs(EXPIRES_S / 2, EXPIRES_S * 3 / 4);
                self.at(now + wait, Cue::Register);
            }
            401 => self.authorize(response, now),
            _ => self.register_failed(now),
        }
    }

    fn authorize(&mut self, response: &Response, now: Instant) {
        let cnonce = self.token("c");
        let server = self.server;
        let headers = response.headers();
        let challenges = headers.lines(HeaderName::WwwAuthenticate);
        let params = challenges.filter_map(|line| AuthParams::parse(&line.text()).ok());
        let challenge = choose_challenge(params);
        let (Some(challenge), Some(registration)) = (challenge, &mut self.registration) else {
            return;
        };
        registration.tries += 1;
        if registration.tries > MAX_TRIES {
            return self.register_failed(now);
        }
        let credentials = Credentials {
            user: &registration.account.user,
            password: &registration.account.password,
        };
        let uri = format!("sip:{server}");
        let answer = challenge.answer(credentials, "REGISTER", &uri, 1, &cnonce);
        let mut line = b"Authorization: ".to_vec();
        answer.encode(&mut line);
        line.extend_from_slice(b"\r\n");
        let line = String::from_utf8_lossy(&line).into_owned();
        self.send_register(&line, now);
    }

    /// Tries again a little later; a phone that leaves tries as well, it has nothing else to do.
    pub(super) fn register_failed(&mut self, now: Instant) {
        let wait = self.rng.secs(5, 20);
        self.at(now + wait.max(Duration::from_secs(5)), Cue::Register);
    }
}
