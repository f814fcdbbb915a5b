//! A verifier written from `docs/protocol/audit-v1.md` believes our trails and
//! notices what was done to them.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use crypto::HubId;
use crypto::audit::{AuditChain, AuditHead, GENESIS, entry_hash};
use peer::{ask, hex};
use serde_json::{Value, json};

const LENGTH: u64 = 6;

/// The entry that tells that older ones have expired.
const EXPIRY: u64 = 5;

fn time(seqno: u64) -> u64 {
    1_763_690_000_000_000 + seqno
}

/// Entry number `seqno` in the layout of the page.
fn entry(chain: AuditChain, seqno: u64) -> Vec<u8> {
    let kind = if seqno == EXPIRY { 215 } else { 17 };
    let mut entry = chain.as_bytes().to_vec();
    entry.extend(seqno.to_be_bytes());
    entry.extend(time(seqno).to_be_bytes());
    entry.extend([0, kind, 1]);
    entry.extend([seqno as u8; 16]);
    entry.push(7);
    entry.extend([0xaa; 16]);
    assert_eq!(entry.len(), 68);
    entry
}

struct Trail {
    chain: AuditChain,
    entries: Vec<Vec<u8>>,
    hashes: Vec<[u8; 32]>,
}

impl Trail {
    fn new(chain: AuditChain) -> Self {
        let entries: Vec<_> = (1..=LENGTH).map(|seqno| entry(chain, seqno)).collect();
        let mut hashes = vec![GENESIS];
        for entry in &entries {
            hashes.push(entry_hash(hashes.last().unwrap(), entry));
        }
        Self {
            chain,
            entries,
            hashes,
        }
    }

    fn leaf(&self, seqno: u64) -> String {
        let head = AuditHead {
            chain: self.chain,
            seqno,
            hash: self.hashes[seqno as usize],
        };
        hex(head.leaf().unwrap().encode())
    }

    /// What the verifier is asked when the first `expired` entries are gone.
    fn request(&self, expired: usize) -> Value {
        let entries: Vec<_> = self.entries[expired..].iter().map(hex).collect();
        json!({
            "trail": hex(self.chain.as_bytes()),
            "start": [expired, hex(self.hashes[expired])],
            "expired_at": (expired > 0).then(|| time(EXPIRY)),
            "entries": entries,
            "head": [LENGTH, hex(self.hashes[LENGTH as usize])],
            "log": [self.leaf(2), self.leaf(5)],
        })
    }
}

fn verify(request: &Value) -> Result<Value, String> {
    ask("verify_audit.py", request)
}

#[test]
fn a_verifier_written_from_the_document_believes_a_whole_trail() {
    for chain in [
        AuditChain::Installation,
        AuditChain::Hub(HubId::from_bytes([3; 16])),
    ] {
        let trail = Trail::new(chain);
        assert_eq!(verify(&trail.request(0)).unwrap(), json!(LENGTH));
        assert_eq!(verify(&trail.request(4)).unwrap(), json!(LENGTH - 4));
    }
}

#[test]
fn it_notices_that_entries_are_hidden_as_expired() {
    let trail = Trail::new(AuditChain::Installation);
    let untold = "the trail does not tell that entries expired";
    let mut at_another_time = trail.request(4);
    at_another_time["expired_at"] = json!(time(EXPIRY) + 1);
    assert_eq!(verify(&at_another_time).unwrap_err(), untold);
    // What tells of it went with the others.
    assert_eq!(verify(&trail.request(5)).unwrap_err(), untold);
}

#[test]
fn it_notices_a_change_even_when_every_later_hash_was_made_anew() {
    let hub = AuditChain::Hub(HubId::from_bytes([3; 16]));
    let sound = Trail::new(hub).request(0);

    let mut changed = sound.clone();
    changed["entries"][3] = json!(hex(entry(hub, 4)).replace("0011", "0012"));
    let end = "the end of the trail is not where it was";
    assert_eq!(verify(&changed).unwrap_err(), end);

    let mut missing = sound.clone();
    missing["entries"].as_array_mut().unwrap().remove(2);
    assert_eq!(verify(&missing).unwrap_err(), "entry 3 is missing");

    let mut rewritten = Trail::new(hub);
    rewritten.entries[3][34] = 0;
    for place in 3..LENGTH as usize {
        rewritten.hashes[place + 1] =
            entry_hash(&rewritten.hashes[place], &rewritten.entries[place]);
    }
    let mut rewritten = rewritten.request(0);
    assert_eq!(verify(&rewritten).unwrap(), json!(LENGTH));
    rewritten["log"] = sound["log"].clone();
    assert_eq!(
        verify(&rewritten).unwrap_err(),
        "the key log has another trail"
    );
}
