//! A folder that is gone after the test, and rows to put into it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use store::{CallEnd, CallStart, Caller, CallerHash, OutcomeClass, RungRow};

pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "centralita-store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary folder takes a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Long past, as what is told of is.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time in 2023")
}

pub fn start(call: u64) -> CallStart {
    CallStart {
        call,
        hub: Some("norte".to_owned()),
        trunk: Some("carrier".to_owned()),
        caller: Caller::Known(CallerHash([7; 32])),
        started_at: at(call.cast_signed()),
    }
}

pub fn answered(call: u64) -> CallEnd {
    CallEnd {
        start: start(call),
        ended_at: at(call.cast_signed() + 60),
        until_ring: Some(Duration::from_millis(40)),
        wait: Duration::from_millis(5_250),
        talk: Duration::from_secs(54),
        voicemail: None,
        rung: vec![
            RungRow {
                volunteer: "ana".to_owned(),
                rang: Duration::from_millis(5_200),
                answered: true,
            },
            RungRow {
                volunteer: "ben".to_owned(),
                rang: Duration::from_millis(5_100),
                answered: false,
            },
        ],
        answered_by: Some("ana".to_owned()),
        outcome: OutcomeClass::Answered,
        reason: None,
    }
}
