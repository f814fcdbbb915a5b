//! The people of the tests.

#![allow(dead_code, reason = "each test uses a part")]

use crypto_session::{Code, People, Refusal, Session};

pub const NOW_MS: u64 = 1_763_690_000_000;

pub fn person() -> Session {
    let mut session = Session::create(None).unwrap();
    session.begin_sigchain(NOW_MS).unwrap();
    session
}

pub fn knowing(sessions: &[&Session]) -> People {
    let mut people = People::default();
    for session in sessions {
        let chain = session.sigchain().unwrap();
        people.add(session.user(), &chain, None).unwrap();
    }
    people
}

pub fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Code {
    result.unwrap_err().code()
}
