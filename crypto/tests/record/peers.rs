//! Implementations in Python (`cryptography`) and JavaScript (`@hpke/core`,
//! `@noble`), written from `docs/protocol/record-v1.md`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crypto::identity::ItemsKey;
use crypto::record::{Erasure, Export, ExportFacts, RecordKind, RecordPlace, SealedRecord};
use crypto::{Entropy, EntropyError, OsEntropy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Hotline, NOTE, Person, WORDS};

#[derive(Debug, Clone, Copy)]
enum Peer {
    Python,
    Node,
}

const PEERS: [Peer; 2] = [Peer::Python, Peer::Node];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn command(peer: Peer) -> Command {
    match peer {
        Peer::Python => {
            let venv = std::env::var_os("CENTRALITA_TEST_VENV")
                .map_or_else(|| root().join("../.venv"), PathBuf::from);
            let mut command = Command::new(venv.join("bin/python"));
            command.arg(root().join("tests/python/open_record.py"));
            command
        }
        Peer::Node => {
            let modules = root().join("tests/node/node_modules");
            assert!(modules.exists(), "no node_modules: run scripts/setup-tests");
            let mut command = Command::new("node");
            command.arg(root().join("tests/node/record.js"));
            command
        }
    }
}

/// What the peer answers, or its one sentence.
fn ask(peer: Peer, action: &str, facts: &Value) -> Result<Value, String> {
    let mut child = command(peer)
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tests need Python and Node: run scripts/setup-tests");
    let mut stdin = child.stdin.take().unwrap();
    let text = facts.to_string();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(text.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// The 32 bytes of a reader's secret key, from its text.
fn secret(person: &Person) -> String {
    let text = person.secret().reveal();
    let symbols = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = text.bytes().skip("hlsec1".len()).take(52);
    let bits: Vec<u8> = data
        .flat_map(|symbol| {
            let value = symbols.bytes().position(|it| it == symbol).unwrap();
            (0..5).rev().map(move |bit| (value >> bit & 1) as u8)
        })
        .collect();
    let bytes = bits[..256].chunks(8);
    let bytes: Vec<u8> = bytes
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit))
        .collect();
    hex(&bytes)
}

fn device(person: &Person) -> Value {
    json!({
        "user": person.user().to_string(),
        "device": person.keys.device().to_string(),
        "key": hex(person.keys.signing_key().verifying_key().as_bytes()),
    })
}

fn opening(hotline: &Hotline, opener: &Person, sealed: &[u8]) -> Value {
    let allowed: Vec<_> = hotline.allowed.iter().map(ToString::to_string).collect();
    json!({
        "sealed": hex(sealed), "kind": "note",
        "hub": NOTE.hub.to_string(), "record": NOTE.record.to_string(),
        "at_least": [1, 1], "author": device(&hotline.author),
        "signers": [device(&hotline.admin), device(&hotline.other)], "allowed": allowed,
        "opener": { "user": opener.user().to_string(), "generation": 1, "secret": secret(opener) },
    })
}

/// An Ed25519 seed as the peers sign with it: what `DeviceKeys` derives.
fn sign_seed(person: &Person) -> String {
    let mut seed = [0; 32];
    let label = crypto::Label::DeviceSignSeed.bind(b"");
    let derived = hkdf::Hkdf::<Sha256>::new(None, &person.seed).expand(&label, &mut seed);
    derived.unwrap();
    hex(&seed)
}

fn texts() -> [Vec<u8>; 5] {
    let long = (0..40_000_u32).map(|place| place as u8).collect();
    [
        Vec::new(),
        WORDS.to_vec(),
        vec![7; 253],
        vec![b'x'; 16_384 - 4],
        long,
    ]
}

#[test]
fn peers_open_what_we_seal() {
    let hotline = Hotline::new();
    for peer in PEERS {
        for text in texts() {
            let note = hotline.note_at(NOTE, &text);
            for opener in [&hotline.author, &hotline.admin] {
                let facts = opening(&hotline, opener, &note.encode());
                let answer = ask(peer, "open", &facts).unwrap();
                assert!(unhex(&answer["text"]) == text, "{peer:?}");
                assert_eq!(
                    unhex(&answer["revision_hash"]),
                    note.front().header().hash()
                );
            }
        }
    }
}

/// Keeps what it gave: the first bytes are the seed of a new per-user key.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Entropy for Kept {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        OsEntropy.fill(out)?;
        self.0.extend_from_slice(out);
        Ok(())
    }
}

#[test]
fn peers_open_what_is_under_the_author_s_own_items_key() {
    let mut hotline = Hotline::new();
    let (author, mut kept) = (&mut hotline.author, Kept::default());
    let next = author
        .chain
        .rotate_puk(&author.keys, Some(&author.puk), 3, &mut kept);
    author.puk = next.unwrap();
    let items = ItemsKey::generate(&author.puk, &mut OsEntropy).unwrap();
    let sealed_items = items.seal(&author.puk, &mut OsEntropy).unwrap();
    let readers = [hotline.author.reader(), hotline.admin.reader()];
    let writer = hotline.author.writer().with_items_key(&items);
    let note = writer.seal(NOTE, WORDS, &readers, &mut OsEntropy).unwrap();
    let mut facts = opening(&hotline, &hotline.author, &note.encode());
    let user = hotline.author.user().to_string();
    facts["opener"] = json!({ "user": user, "generation": 2, "seed": hex(&kept.0[..32]) });
    for peer in PEERS {
        let refusal = ask(peer, "open", &facts).unwrap_err();
        assert_eq!(refusal, "refused: another key is needed", "{peer:?}");
        let with = |items_key: &[u8]| {
            let mut facts = facts.clone();
            facts["opener"]["items_key"] = json!(hex(items_key));
            ask(peer, "open", &facts)
        };
        assert_eq!(unhex(&with(&sealed_items).unwrap()["text"]), WORDS);
        let mut altered = sealed_items.clone();
        *altered.last_mut().unwrap() ^= 1;
        let refusal = with(&altered).unwrap_err();
        assert_eq!(refusal, "refused: a box does not open", "{peer:?}");
        let another = ItemsKey::generate(&hotline.author.puk, &mut OsEntropy).unwrap();
        let another = another.seal(&hotline.author.puk, &mut OsEntropy).unwrap();
        let refusal = with(&another).unwrap_err();
        assert_eq!(refusal, "refused: a box does not open", "{peer:?}");
    }
}

#[test]
fn peers_open_edits_and_changed_readers() {
    let hotline = Hotline::new();
    let expected = hotline.expected();
    let first = hotline.note();
    let readers = [hotline.author.reader(), hotline.admin.reader()];
    let edited = first
        .front()
        .verify(&expected)
        .unwrap()
        .new_revision(&hotline.admin.writer(), b"edited", &readers, &mut OsEntropy)
        .unwrap();
    let mut by_admin = hotline.expected();
    by_admin.author = hotline.admin.author();
    let verified = edited.front().verify(&by_admin).unwrap();
    let front = verified
        .remove_reader(&hotline.author.writer(), hotline.author.user())
        .unwrap();
    let sealed = edited.with_front(front).unwrap();
    for peer in PEERS {
        let mut facts = opening(&hotline, &hotline.admin, &sealed.encode());
        facts["author"] = device(&hotline.admin);
        facts["signers"] = json!([device(&hotline.author)]);
        facts["at_least"] = json!([2, 2]);
        let answer = ask(peer, "open", &facts).unwrap();
        assert_eq!(unhex(&answer["text"]), b"edited");
        assert_eq!(answer["position"], json!([2, 2]));
        assert_eq!(answer["stale"], json!(true));
        assert_eq!(unhex(&answer["parent"]), first.front().header().hash());
    }
}

#[test]
fn we_open_what_peers_seal() {
    let hotline = Hotline::new();
    let reader = |person: &Person| {
        json!({
            "user": person.user().to_string(), "generation": 1,
            "key": hex(person.reader().key.as_bytes()),
        })
    };
    let mut author = device(&hotline.author);
    author["seed"] = json!(sign_seed(&hotline.author));
    for peer in PEERS {
        for text in texts() {
            let facts = json!({
                "kind": "note", "hub": NOTE.hub.to_string(), "record": NOTE.record.to_string(),
                "revision": 1, "parent": hex(&[0; 32]), "author": author, "text": hex(&text),
                "readers": [reader(&hotline.admin), reader(&hotline.author)],
            });
            let sealed = unhex(&ask(peer, "seal", &facts).unwrap()["sealed"]);
            let note = SealedRecord::decode(&sealed).unwrap();
            for opener in [&hotline.author, &hotline.admin] {
                let opened = note.open(&opener.key(), &hotline.expected()).unwrap();
                assert!(*opened.plaintext == text, "{peer:?}");
            }
        }
    }
}

#[test]
fn peers_refuse_what_they_must() {
    let hotline = Hotline::new();
    let sealed = hotline.note().encode();
    let good = opening(&hotline, &hotline.admin, &sealed);
    let with = |field: &str, value: Value| {
        let mut facts = good.clone();
        facts[field] = value;
        facts
    };
    let changed = |place: usize| {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        with("sealed", json!(hex(&altered)))
    };
    let last = sealed.len() - 1;
    let cases = [
        (
            with("record", json!(hex(&[1; 16]))),
            "moved from another record",
        ),
        (with("kind", json!("report")), "moved from another record"),
        (with("at_least", json!([1, 2])), "an older state"),
        (with("author", device(&hotline.other)), "by another author"),
        (
            with("allowed", json!([hotline.admin.user().to_string()])),
            "a reader who may not be",
        ),
        (
            with(
                "opener",
                opening(&hotline, &hotline.other, &sealed)["opener"].clone(),
            ),
            "not sealed to this person",
        ),
        (changed(130), "the author did not sign this"),
        (changed(230), "the manifest was altered"),
        (changed(last), "the body is another one"),
    ];
    for peer in PEERS {
        assert!(ask(peer, "open", &good).is_ok());
        for (facts, sentence) in &cases {
            let refusal = ask(peer, "open", facts).unwrap_err();
            assert_eq!(refusal, format!("refused: {sentence}"), "{peer:?}");
        }
    }
}

#[test]
fn python_opens_erasures_and_exports() {
    let hotline = Hotline::new();
    let note = hotline.note();
    let erasure = Erasure::sign(note.front(), &hotline.admin.keys, 1_763_690_000_123);
    let key = device(&hotline.admin)["key"].clone();
    let facts = json!({ "sealed": hex(&erasure.encode()), "key": key });
    let answer = ask(Peer::Python, "erasure", &facts).unwrap();
    assert_eq!(unhex(&answer["last"]), note.front().header().hash());
    assert_eq!(unhex(&answer["user"]), hotline.admin.user().as_bytes());
    assert_eq!(unhex(&answer["at_ms"]), 1_763_690_000_123_u64.to_be_bytes());

    let facts = ExportFacts {
        hub: NOTE.hub,
        user: hotline.author.user(),
        export: NOTE.record,
        created_at_ms: 3,
    };
    let readers = [hotline.author.reader()];
    let export = Export::seal(facts, WORDS, &readers, &mut OsEntropy).unwrap();
    let facts = opening(&hotline, &hotline.author, &export.encode());
    let answer = ask(Peer::Python, "export", &facts).unwrap();
    assert_eq!(unhex(&answer["text"]), WORDS);
}

#[test]
fn a_file_sealed_as_a_stream_is_a_record_like_any_other() {
    let hotline = Hotline::new();
    let place = RecordPlace {
        kind: RecordKind::Attachment,
        ..NOTE
    };
    let readers = [hotline.author.reader(), hotline.admin.reader()];
    let file = vec![0x5a; 50_000];
    let writer = hotline.author.writer();
    let (mut sealing, prefix) = writer
        .start(place, 50_000, &readers, &mut OsEntropy)
        .unwrap();
    let mut body = prefix.to_vec();
    body.extend(sealing.push(&file).unwrap());
    let (front, end) = sealing.finish(&writer).unwrap();
    body.extend(end);
    assert_eq!(front.header().body_hash()[..], Sha256::digest(&body)[..]);
    let sealed = [front.encode(), body].concat();
    for peer in PEERS {
        let mut facts = opening(&hotline, &hotline.admin, &sealed);
        facts["kind"] = json!("attachment");
        assert!(unhex(&ask(peer, "open", &facts).unwrap()["text"]) == file);
    }
}
