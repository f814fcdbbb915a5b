//! The running API against its own description, by a program that others wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use crypto::vault::{Passcode, Share, Vault};
use crypto_session::Unlocking;
use life::Client;
use protocol::{Blob, Id, ShareAnswer, ShareRequest};
use serde_json::Value;

use crate::place::{PIN, Place};

/// Seconds of questions.
const MAX_TIME_S: &str = "60";
/// Below what one address and one account may ask.
const RATE: &str = "25/s";
/// A wrong status, form or type of an answer; a fault of the server; no sentence.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,ignored_auth,refusals_are_sentences";

#[test]
fn the_api_is_as_it_is_described() {
    let place = Place::start("info");
    let (admin, _) = place.first_admin("Ada");
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
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    println!("{said}");
    let complained = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}\n{complained}");
    let log = place.server.log();
    assert!(!log.contains("panicked") && !log.contains("a request failed"));
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
