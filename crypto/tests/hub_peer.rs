//! A reader written from `docs/protocol/hub-v1.md` reads what this crate
//! writes, and refuses what it must; this crate reads what a writer written from
//! it makes, and refuses it with a byte changed.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use crypto::hub::{
    Change, EventEnvelope, HubKey, HubKeyWrap, IndexField, Invitation, Role, RoleFlags, RoleId,
    Roster, SealedSettings, SearchRoot, Sigchains, Voucher,
};
use crypto::identity::{DeviceKeys, Puk, Sigchain};
use crypto::{DeviceId, HubId, OsEntropy, UserId};
use peer::{ask, hex, unhex};
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

/// A hub that a writer written from the document made: its admin has a device
/// of ours besides the one that signs, and user 2 is a member.
struct Elsewhere {
    made: Value,
    hub: HubId,
    admin: DeviceKeys,
    member: Puk,
    chains: Sigchains,
}

impl Elsewhere {
    fn new() -> Self {
        let hub = HubId::generate(&mut OsEntropy).unwrap();
        let mut chains = Sigchains::new();
        let (_, member) = person(2, &mut chains);
        let device = DeviceId::from_bytes([101; 16]);
        let admin = DeviceKeys::from_seed(user(1), device, &[1; 32]);
        let input = json!({"hex": {
            "user": user(1).to_string(),
            "card": hex(admin.card().encode()),
            "hub": hex(hub.as_bytes()),
            "chain": hex(chains[&user(2)].encode()),
        }});
        let made = ask("make_hub.py", &input).unwrap();
        let chain = Sigchain::decode(&bytes(&made["chain"])).unwrap();
        chains.insert(user(1), chain);
        Self {
            made,
            hub,
            admin,
            member,
            chains,
        }
    }

    fn roster(&self) -> Roster {
        Roster::decode(&bytes(&self.made["roster"]), &self.chains).unwrap()
    }

    /// The hub key, as the admin's device of ours opens it and as the member
    /// does.
    fn hub_keys(&self) -> [HubKey; 2] {
        let roster = self.roster();
        let epoch = roster.state().epoch().unwrap();
        let ring = self.chains[&user(1)].open_puk(&self.admin).unwrap();
        let open = |place: usize, puk: &Puk| {
            let wrap = HubKeyWrap::decode(&bytes(&self.made["wraps"][place])).unwrap();
            wrap.open(epoch, puk).unwrap()
        };
        [open(0, ring.current()), open(1, &self.member)]
    }

    fn envelope(&self) -> EventEnvelope {
        let envelope = &self.made["envelope"];
        let sender = bytes(&envelope["sender"]).try_into().unwrap();
        let sender = DeviceId::from_bytes(sender);
        let chain = &self.chains[&user(1)];
        EventEnvelope {
            sender,
            transport_key: *chain.state().transport_key(sender, self.hub, 2).unwrap(),
            kind: envelope["kind"].as_u64().unwrap().try_into().unwrap(),
            created_at_s: envelope["created_at_s"].as_u64().unwrap(),
        }
    }
}

fn bytes(text: &Value) -> Vec<u8> {
    unhex(text.as_str().unwrap())
}

fn said(text: &[u8]) -> &str {
    str::from_utf8(text).unwrap()
}

#[test]
fn a_hub_written_from_the_document_says_what_its_writer_meant() {
    let hub = Elsewhere::new();
    let (roster, made) = (hub.roster(), &hub.made);
    let members = roster.state().members();
    let members: serde_json::Map<String, Value> = members
        .map(|(user, member)| (user.to_string(), json!(member.role.0)))
        .collect();
    for key in hub.hub_keys() {
        let event = key.open_event(&hub.envelope(), &bytes(&made["event"]));
        let settings = SealedSettings::decode(&bytes(&made["settings"])).unwrap();
        let settings = settings.open(roster.state().settings().unwrap(), &key);
        let root = SearchRoot::open(&key, &bytes(&made["search_root"])).unwrap();
        let term = made["says"]["term"].as_str().unwrap();
        let token = root.token(IndexField::CASE_NUMBER, term).unwrap();
        let says = json!({
            "head": hex(roster.head().encode()),
            "members": members,
            "key_due": roster.state().hub_key_rotation_due(),
            "topic": hex(key.topic()),
            "event": said(&event.unwrap()),
            "settings": said(&settings.unwrap()),
            "term": term,
            "token": hex(token.as_bytes()),
        });
        assert_eq!(says, made["says"]);

        let invitation = Invitation {
            id: bytes(&made["invitation"]).try_into().unwrap(),
            role: RoleId(2),
        };
        let vouched = UserId::from_bytes(bytes(&made["vouched"]).try_into().unwrap());
        let voucher = Voucher::decode(&bytes(&made["voucher"])).unwrap();
        key.check_voucher(&invitation, vouched, &voucher).unwrap();
    }
    // And it goes on from there: an admin's device of ours writes the next entry.
    let mut roster = roster;
    let change = vec![role(8, false, false)];
    roster.change(&hub.admin, change, &hub.chains, 20).unwrap();
}

/// Every place at which `opens` still says yes with a bit of the byte changed.
fn unnoticed(sealed: &Value, step: usize, opens: impl Fn(&[u8]) -> bool) -> Vec<usize> {
    let mut sealed = bytes(sealed);
    assert!(opens(&sealed));
    let places = (0..sealed.len()).step_by(step);
    places
        .filter(|place| {
            sealed[*place] ^= 1;
            let opened = opens(&sealed);
            sealed[*place] ^= 1;
            opened
        })
        .collect()
}

#[test]
fn a_hub_written_from_the_document_is_refused_when_one_byte_is_another() {
    let hub = Elsewhere::new();
    let (roster, made, nowhere) = (hub.roster(), &hub.made, Vec::<usize>::new());
    let decodes = |roster: &[u8]| Roster::decode(roster, &hub.chains).is_ok();
    // Not a divisor of the sizes of links: all their fields are met.
    assert_eq!(unnoticed(&made["roster"], 13, decodes), nowhere);
    let epoch = roster.state().epoch().unwrap();
    let opens = |wrap: &[u8]| {
        let wrap = HubKeyWrap::decode(wrap);
        wrap.is_ok_and(|wrap| wrap.open(epoch, &hub.member).is_ok())
    };
    assert_eq!(unnoticed(&made["wraps"][1], 1, opens), nowhere);
    let [_, key] = hub.hub_keys();
    let envelope = hub.envelope();
    let opens = |event: &[u8]| key.open_event(&envelope, event).is_ok();
    assert_eq!(unnoticed(&made["event"], 1, opens), nowhere);
    let opens = |root: &[u8]| SearchRoot::open(&key, root).is_ok();
    assert_eq!(unnoticed(&made["search_root"], 1, opens), nowhere);
    let announced = roster.state().settings().unwrap();
    let opens = |settings: &[u8]| {
        let settings = SealedSettings::decode(settings);
        settings.is_ok_and(|settings| settings.open(announced, &key).is_ok())
    };
    assert_eq!(unnoticed(&made["settings"], 7, opens), nowhere);
}
