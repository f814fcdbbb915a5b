//! The running API against its own description, by a program that others wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crypto::SigningKey;
use crypto::vault::{Passcode, Share, Vault};
use crypto_session::Unlocking;
use life::{Client, Sort};
use protocol::{Blob, CallPage, Id, ROSTER_ROLE_VOLUNTEER, Role, ShareAnswer, ShareRequest};
use serde_json::{Value, json};

use crate::place::{PIN, Place};

/// Seconds of questions.
const MAX_TIME_S: &str = "50";
/// Below what one account may ask.
const RATE: &str = "25/s";
/// Operations that are to be carried out at least once. What is missing is named in the output:
/// most of it takes a signature that this test cannot make.
const LEAST_DONE: usize = 55;
/// Nobody has met there yet.
const ROOM: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
/// Nobody has sent it yet.
const FILE: &str = "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1";
const CALLER: &str = "+34911987654";
/// A wrong status, form or type of an answer; a fault of the server; no sentence.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,ignored_auth,refusals_are_sentences";

#[test]
fn the_api_is_as_it_is_described() {
    let place = Place::start("info");
    let (mut admin, hub) = place.first_admin("Ada");
    let real = real(&place, &mut admin, hub);
    let reached = place.server.folder().join("reached.json");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tool = root.join(".venv/bin/schemathesis");
    assert!(tool.exists(), "run scripts/setup-tests first");
    let seed = seed_of(&place.folder("Ada"), &admin);
    let seed: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let authority: PathBuf = place.server.data().join("tls/authority.pem");
    let asked = Command::new(tool)
        .arg("run")
        .arg(root.join("web/protocol/generated/openapi.json"))
        .args(["--url", &place.told().origin, "--checks", CHECKS])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-time",
            MAX_TIME_S,
        ])
        .args(["--rate-limit", RATE, "--continue-on-failure"])
        // It would end the login that all else needs.
        .args(["--exclude-path", "/api/v1/session/logout"])
        .args(["--generation-database", "none", "--seed", "1"])
        .args(["--no-color", "--warnings", "off", "--tls-verify"])
        .arg(&authority)
        .current_dir(place.server.folder().path())
        .env("PYTHONPATH", root.join("tests/schema"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "signed")
        .env("SCHEMA_ORIGIN", place.told().origin)
        .env("SCHEMA_AUTHORITY", &authority)
        .env("SCHEMA_DEVICE", admin.device_id().to_string())
        .env("SCHEMA_SEED", seed)
        .env("SCHEMA_REAL", real.to_string())
        .env("SCHEMA_REACHED", &reached)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    println!("{said}");
    let complained = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}\n{complained}");
    reaches_the_handlers(&reached);
    let log = place.server.log();
    assert!(!log.contains("panicked") && !log.contains("a request failed"));
}

/// What is there, for requests to name; and what is a good body where that is hard to invent.
fn real(place: &Place, admin: &mut Client, hub: Id) -> Value {
    let (role, number) = (Role::Volunteer, ROSTER_ROLE_VOLUNTEER);
    let ben = place.member(admin, hub, role, number, "Ben");
    let record = admin.write(hub, Sort::Note, "a note").unwrap();
    let message = place.leave_a_message(admin, hub, CALLER);
    let history: CallPage = admin.get(&format!("/hubs/{hub}/calls")).unwrap();
    let call = history.calls[0].call;
    let key: Vec<u8> = admin.line.session.device().as_bytes().repeat(2);
    let key = SigningKey::from_seed(&key.try_into().unwrap());
    let key = Blob(key.verifying_key().as_bytes().to_vec());
    let tomorrow = admin.line.now_ms() + 24 * 60 * 60 * 1000;
    let pass = Blob(vec![1; 16]);
    json!({
        "names": {
            "hub": hub, "user": ben.user(), "record": record, "call": call.to_string(),
            "recording": message.recording.to_string(), "volunteer": "ana", "room": ROOM,
            "file": FILE, "position": "0",
        },
        "queries": {
            "GET /api/v1/hubs/{hub}/voicemails/{recording}/bytes": { "from": 0, "length": 16 },
            "GET /api/v1/transparency/consistency": { "old": 1, "new": 1 },
            "GET /api/v1/transparency/inclusion": { "place": 0, "size": 1 },
        },
        "bodies": {
            "POST /api/v1/login/challenge": { "device": admin.device_id() },
            "POST /api/v1/hubs/{hub}/bans": { "call": call },
            "POST /api/v1/hubs/{hub}/invites":
                { "role": { "name": "volunteer" }, "expires_at_ms": tomorrow },
            "POST /api/v1/hubs/{hub}/search": { "tokens": [] },
            "POST /api/v1/hubs/{hub}/keys": { "wraps": [] },
            "POST /api/v1/hubs/{hub}/calls/{call}/caller/erasure": { "keep_ban": true },
            "PUT /api/v1/hubs/{hub}/accounts/{volunteer}": { "user": ben.user() },
            "PUT /api/v1/hubs/{hub}/files/{file}": { "size": 4 },
            "PUT /api/v1/me/profile": { "profile": "AQ" },
            "PUT /api/v1/session/view-key": { "key": key },
            "PUT /api/v1/users/{user}/active": { "active": true },
            "PUT /api/v1/users/{user}/super-admin": { "super_admin": false },
            "POST /api/v1/pairing/{room}": { "pass": pass },
            "POST /api/v1/pairing/{room}/join": { "pass": Blob(vec![2; 16]) },
            "POST /api/v1/pairing/{room}/messages": { "pass": pass, "message": "AQ" },
            "POST /api/v1/recovery/escrow": { "user": admin.user() },
        },
    })
}

/// Without this, a description of what is always refused would pass.
fn reaches_the_handlers(reached: &Path) {
    let text = std::fs::read(reached).unwrap();
    let answered: BTreeMap<String, BTreeMap<String, u32>> = serde_json::from_slice(&text).unwrap();
    let count = |only: fn(&str) -> bool| -> u32 {
        let each = answered.values().flatten();
        each.filter(|(status, _)| only(status))
            .map(|(_, count)| count)
            .sum()
    };
    let (all, slowed) = (count(|_| true), count(|status| status == "429"));
    println!("{slowed} of {all} requests were too many");
    // How many do depends on the machine's speed.
    assert!(slowed * 10 < all, "too many requests met the limits");
    let is_done = |statuses: &&BTreeMap<String, u32>| statuses.keys().any(|it| it.starts_with('2'));
    let done = answered.values().filter(is_done).count();
    println!(
        "{done} of {} operations were carried out; not:",
        answered.len()
    );
    for (operation, statuses) in answered.iter().filter(|(_, it)| !is_done(it)) {
        println!("  {operation}: {statuses:?}");
    }
    assert!(
        done >= LEAST_DONE,
        "only {done} operations were carried out"
    );
}

/// A device's seed, which no session gives out: by opening its vault as the PIN does.
fn seed_of(folder: &life::Folder, client: &Client) -> [u8; 32] {
    let text = std::fs::read(folder.path().join("device.json")).unwrap();
    let device: Value = serde_json::from_slice(&text).unwrap();
    let blob = |name: &str| device[name].as_str().unwrap().parse::<Blob>().unwrap().0;
    let (vault, own) = (blob("vault"), blob("device_share"));
    let unlocking = Unlocking::begin(&vault, PIN, Some(&own), None).unwrap();
    let request = ShareRequest {
        auth: Blob::from(&unlocking.server_proof()[..]),
    };
    let name: Id = device["server_share"].as_str().unwrap().parse().unwrap();
    let path = format!("/vaults/{name}/share");
    let answer = client.line.wire.open(&path, &request).unwrap();
    let ShareAnswer::Given { share } = answer.json().unwrap() else {
        panic!("the server does not give its share");
    };
    let share_of = |bytes: &[u8]| Share::from_bytes(bytes.try_into().unwrap());
    let (own, server) = (share_of(&own), share_of(&share.0));
    let attempt = Vault::decode(&vault).unwrap();
    let attempt = attempt.attempt(&Passcode::entered(PIN), Some(&own), None);
    *attempt.unwrap().unlock(Some(&server)).unwrap().reveal()
}
