//! A reader written from `docs/protocol/hub-v1.md` reads what this crate
//! writes, and refuses what it must.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use crypto::hub::{
    Change, EventEnvelope, HubKey, IndexField, Role, RoleFlags, RoleId, Roster, SealedSettings,
    SearchRoot, Sigchains,
};
use crypto::identity::{DeviceKeys, Puk, Sigchain};
use crypto::{DeviceId, HubId, OsEntropy, UserId};
use peer::{ask, hex};
use serde_json::{Value, json};

const SCRIPT: &str = "read_hub.py";
const TERM: &str = "  MÜLLER \u{2003} Σοφίας ";

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn person(number: u8, chains: &mut Sigchains) -> (DeviceKeys, Puk) {
    let device = DeviceId::from_bytes([number + 100; 16]);
    let keys = DeviceKeys::from_seed(user(number), device, &[number; 32]);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
    chains.insert(user(number), chain);
    (keys, puk)
}

fn role(number: u16, admin: bool, reviewer: bool) -> Change {
    let flags = RoleFlags { admin, reviewer };
    let permissions = 0x8000_0000_0000_0001;
    Change::DefineRole(RoleId(number), Role { flags, permissions })
}

fn join(chains: &Sigchains, number: u8, role: u16) -> Change {
    let (user, head) = (user(number), chains[&user(number)].head());
    let role = RoleId(role);
    Change::AddMember { user, role, head }
}

/// A hub of an admin (1), a reporter (2) and a reviewer (3); somebody has left.
/// Returns what the reporter has, and the answer that the reader should give.
fn life() -> (Value, Value) {
    let hub = HubId::generate(&mut OsEntropy).unwrap();
    let e = &mut OsEntropy;
    let mut chains = Sigchains::new();
    let people = [1, 2, 3, 4].map(|number| person(number, &mut chains));
    let [(admin, _), (member, puk), ..] = &people;
    let founding = vec![
        role(1, true, false),
        role(2, false, false),
        role(3, false, true),
        join(&chains, 1, 1),
        join(&chains, 4, 2),
    ];
    let mut roster = Roster::create(hub, admin, founding, &chains, 10).unwrap();
    let announce = |key: &HubKey| Change::HubKey {
        epoch: key.epoch(),
        commitment: key.commitment(),
    };
    let first = HubKey::generate(hub, 1, e).unwrap();
    let joining = vec![announce(&first), join(&chains, 2, 2), join(&chains, 3, 2)];
    roster.change(admin, joining, &chains, 11).unwrap();
    let key = HubKey::generate(hub, 2, e).unwrap();
    let (user_3, head) = (user(3), chains[&user(3)].head());
    let old = SealedSettings::seal(&first, 1, b"{}", e).unwrap();
    roster
        .change(admin, vec![old.change()], &chains, 11)
        .unwrap();
    let text = "{\"name\": \"línea nocturna\"}".to_owned() + &" ".repeat(2_000);
    let settings = SealedSettings::seal(&key, 2, text.as_bytes(), e).unwrap();
    let leaving = vec![
        Change::RemoveMember { user: user(4) },
        Change::ChangeRole {
            user: user_3,
            role: RoleId(3),
        },
        Change::NoteHead { user: user_3, head },
        announce(&key),
        settings.change(),
    ];
    roster.change(admin, leaving, &chains, 12).unwrap();
    chains.remove(&user(4));

    let epoch = *roster.state().epoch().unwrap();
    let wrap = key.wrap_for(&epoch, &puk.reader(), e).unwrap();
    let envelope = EventEnvelope {
        sender: admin.device(),
        transport_key: admin.transport_key(hub, 2).public_key(),
        kind: 20_001,
        created_at_s: 1_763_690_059,
    };
    let event = key
        .seal_event(&envelope, "llamada nueva".as_bytes(), e)
        .unwrap();
    let root = SearchRoot::generate(hub, e).unwrap();
    let chains: Vec<String> = chains.values().map(|chain| hex(chain.encode())).collect();
    let input = json!({
        "hex": {
            "roster": hex(roster.encode()),
            "user": user(2).to_string(),
            "device": member.device().to_string(),
            "seed": hex([2; 32]),
            "hub_key_wrap": hex(wrap.encode()),
            "event": hex(event),
            "settings": hex(settings.encode()),
            "search_root": hex(root.seal(&key, e).unwrap()),
        },
        "chains": chains,
        "envelope": {
            "sender": envelope.sender.to_string(),
            "transport_key": envelope.transport_key.to_string(),
            "kind": envelope.kind,
            "created_at_s": envelope.created_at_s,
        },
        "field": 256 + 9,
        "term": TERM,
    });
    let names = [1, 2, 3].map(|number| user(number).to_string());
    let [one, two, three] = &names;
    let field = IndexField::declared(9, 4).unwrap();
    let expected = json!({
        "head": hex(roster.head().hash),
        "members": {one: 1, two: 2, three: 3},
        "key_due": false,
        "readers": {"private": [two], "case": [one, two], "reporter": [one, two, three]},
        "topic": hex(key.topic()),
        "event": "llamada nueva",
        "settings": text,
        "token": hex(root.token(field, TERM).unwrap().as_bytes()),
    });
    (input, expected)
}

#[test]
fn a_hub_says_the_same_to_a_reader_written_from_the_document() {
    let (input, expected) = life();
    assert_eq!(ask(SCRIPT, &input).unwrap(), expected);
}

#[test]
fn the_reader_written_from_the_document_refuses_what_it_must() {
    let (input, _) = life();
    let refusal = |part: &str, byte: usize| {
        let mut altered = input.clone();
        let text = altered["hex"][part].as_str().unwrap();
        let digit = match &text[2 * byte..=2 * byte] {
            "0" => "1",
            _ => "0",
        };
        let text = [&text[..2 * byte], digit, &text[2 * byte + 1..]].concat();
        altered["hex"][part] = json!(text);
        ask(SCRIPT, &altered).unwrap_err()
    };
    // In the claimed time of the first entry, after 7 + 2 + 57 bytes.
    let signature = "refused: a signature does not fit";
    assert_eq!(refusal("roster", 70), signature);
    assert_eq!(
        refusal("hub_key_wrap", 60),
        "refused: a sealed key does not open"
    );
    assert_eq!(refusal("event", 60), "refused: a box does not open");
    assert_eq!(refusal("search_root", 40), "refused: a box does not open");
    let announced = "refused: not the settings that an admin announced";
    assert_eq!(refusal("settings", 60), announced);
    let mut fewer = input.clone();
    fewer["envelope"]["created_at_s"] = json!(1_763_690_120);
    assert_eq!(
        ask(SCRIPT, &fewer).unwrap_err(),
        "refused: a box does not open"
    );
}
