//! What a session may be given: nothing panics, whatever it is, and what opens is what was sealed.
//! The property test and the fuzz target share it.
#![allow(dead_code)] // Each user calls a part.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;

use crypto::hub::{Invitation as HubInvitation, Role, RoleFlags, RoleId};
use crypto::identity::{ChainHead, LoginChallenge, Sigchain};
use crypto::provisioning::{Invitation, InvitationKind, OldDevice};
use crypto::record::{RecordHeader, RecordKind, RecordPlace};
use crypto::transparency::{Leaf, Log, LogSigner, NoteName, Subject, Witness, WitnessSigner};
use crypto::{
    DeviceId, Entropy, EntropyError, HubId, RecordId, SigningKey, UserId, VoicemailMeta,
    VoicemailWriter,
};
use crypto_session::{
    Expectation, LogFollower, NewPairing, OldPairing, People, Pinned, ServerKey, Session,
    SignedRecording, Unlocking, VaultFacts, VaultShares,
};

const ANA: UserId = UserId::from_bytes([1; 16]);
const BEN: UserId = UserId::from_bytes([2; 16]);
const HUB: HubId = HubId::from_bytes([0xaa; 16]);
const RECORD: RecordId = RecordId::from_bytes([0xbb; 16]);
const ORIGIN: &str = "https://hotline.example";
const NOW_MS: u64 = 1_763_690_000_000;
const NOW_S: u64 = NOW_MS / 1_000;
const WORDS: &[u8] = b"{\"name\":\"night\"}";
const VOLUNTEER: RoleId = RoleId(2);
/// By which Ben has come in.
const INVITED: HubInvitation = HubInvitation {
    id: [0xcc; 16],
    role: VOLUNTEER,
};

/// Numbers that look random and never change.
struct Still(u64);

impl Entropy for Still {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            // xorshift64*, which has no zero state.
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            *byte = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8;
        }
        Ok(())
    }
}

/// Ben's device, which is given everything, and what it is given.
pub struct World {
    ben: Session,
    people: People,
    follower: LogFollower,
    expectation: Expectation,
    server: ServerKey,
    place: RecordPlace,
    witness_key: String,
    /// All of the roster.
    links: Vec<Vec<u8>>,
    /// A genuine message of each kind.
    pub genuine: BTreeMap<&'static str, Vec<u8>>,
}

impl World {
    pub fn new() -> Self {
        let (mut ana, mut ben) = (person(ANA, 1), person(BEN, 2));
        let mut people = People::default();
        for (user, session) in [(ANA, &ana), (BEN, &ben)] {
            let chain = session.sigchain().unwrap();
            people.add(user, &chain, None).unwrap();
        }
        let mut genuine = hotline(&mut ana, &people);
        let roster = &genuine["roster"];
        ben.follow_hub(HUB, roster, None, &people).unwrap();
        ben.open_hub_key(HUB, &genuine["hub key"]).unwrap();
        let secret = ana.invite_secret(HUB, &INVITED).unwrap();
        genuine.insert("voucher", ben.vouch(&secret).unwrap());
        genuine.insert("invite secret", secret.as_bytes().to_vec());
        let place = RecordPlace {
            kind: RecordKind::Note,
            hub: HUB,
            record: RECORD,
        };
        let note = ana.seal_note(place, WORDS, &[BEN], &people).unwrap();
        genuine.insert("note", note.record);
        genuine.insert("front", note.front);
        let links = ana.roster_links_after(HUB, 0).unwrap();
        genuine.insert("roster link", links[links.len() - 1].clone());
        genuine.insert("sigchain", ben.sigchain().unwrap());
        genuine.insert("other sigchain", ana.sigchain().unwrap());
        genuine.insert("items key", ben.sealed_items_key().unwrap());
        genuine.insert("draft", ben.seal_draft("draft", WORDS).unwrap());
        genuine.insert("export", ben.seal_export(HUB, WORDS, None, NOW_MS).unwrap());
        let challenge = LoginChallenge::new(ORIGIN, ben.device(), NOW_MS + 1, &mut Still(5));
        genuine.insert("challenge", challenge.unwrap().encode());
        let (server, follower, witness_key) = server(&ben, &mut genuine);
        papers(&mut ben, &mut genuine);
        Self {
            expectation: Expectation::new(place, ANA.into(), [ANA, BEN].into()),
            ben,
            people,
            follower,
            server,
            place,
            witness_key,
            links,
            genuine,
        }
    }
}

fn person(user: UserId, seed: u64) -> Session {
    let mut session = Session::create_with(Some(user), Box::new(Still(seed))).unwrap();
    session.begin_sigchain(NOW_MS).unwrap();
    session
}

fn hotline(ana: &mut Session, people: &People) -> BTreeMap<&'static str, Vec<u8>> {
    let role = |admin| Role {
        flags: RoleFlags {
            admin,
            reviewer: false,
        },
        permissions: 0,
    };
    let roles = [(RoleId(1), role(true)), (VOLUNTEER, role(false))];
    ana.create_hub(HUB, &roles, RoleId(1), NOW_MS).unwrap();
    ana.add_member(HUB, BEN, VOLUNTEER, people, NOW_MS).unwrap();
    let key = ana.new_hub_key(HUB, None, people, NOW_MS).unwrap();
    let settings = ana.seal_settings(HUB, WORDS, people, NOW_MS).unwrap();
    let wrap = ana.wrap_hub_key(HUB, BEN, people).unwrap();
    let kept = [
        ("search root", key.search_root),
        ("settings", settings),
        ("hub key", wrap),
        ("roster", ana.roster(HUB).unwrap()),
        ("roster head", ana.roster_head(HUB).unwrap().to_vec()),
    ];
    kept.into()
}

/// A voicemail and the key log.
fn server(
    ben: &Session,
    genuine: &mut BTreeMap<&'static str, Vec<u8>>,
) -> (ServerKey, LogFollower, String) {
    let key = SigningKey::from_seed(&[9; 32]);
    let id = DeviceId::from_bytes([9; 16]);
    let chain = Sigchain::decode(&ben.sigchain().unwrap()).unwrap();
    let meta = VoicemailMeta {
        hub: HUB.to_string(),
        recording: RECORD.to_string(),
        created_at_ms: NOW_MS,
        sample_rate_hz: 8_000,
    };
    let reader = chain.state().reader().unwrap().key;
    let (mut writer, mut file) = VoicemailWriter::new(&meta, &[reader], &mut Still(6)).unwrap();
    file.extend(writer.push(&[3; 100]));
    file.extend(writer.finish());
    let header = RecordHeader::of_voicemail(HUB, RECORD, file.as_slice(), id, &key).unwrap();
    genuine.insert("voicemail header", header.encode());
    genuine.insert("voicemail", file);

    let name = |text| NoteName::new(text).unwrap();
    let signer = LogSigner::new(name("hotline.example/log"), SigningKey::from_seed(&[1; 32]));
    let cosigner = WitnessSigner::new(name("partner.example"), SigningKey::from_seed(&[2; 32]));
    let (log_key, witness_key) = (signer.key().to_string(), cosigner.key().to_string());
    let subject = Subject::User(BEN);
    let head = chain.head();
    let log = Log::from_leaves(name("hotline.example/log"), [Leaf { subject, head }]);
    let mut witness = Witness::new(cosigner);
    witness.watch(signer.key().clone());
    let signed = log.sign(&signer);
    let request = log.request(0, &signed).unwrap().to_body();
    let line = witness.add_checkpoint(&request, NOW_S).unwrap();
    let signed = signed.with_cosignatures(&line).unwrap();
    let follower = LogFollower::new(&log_key, std::slice::from_ref(&witness_key), 1).unwrap();
    genuine.insert("checkpoint", signed.as_str().into());
    genuine.insert("log key", log_key.clone().into());
    genuine.insert("witness key", witness_key.clone().into());
    genuine.insert("leaf", log.leaves()[0].encode().to_vec());
    let id_and_key = ServerKey::new(id, key.verifying_key().as_bytes()).unwrap();
    (id_and_key, follower, witness_key)
}

fn papers(ben: &mut Session, genuine: &mut BTreeMap<&'static str, Vec<u8>>) {
    let shares = VaultShares {
        device: Some(&[8; 32]),
        ..VaultShares::default()
    };
    genuine.insert("vault", ben.seal_vault("593018", shares).unwrap().vault);
    let sheet = ben.make_recovery_key(NOW_MS).unwrap();
    genuine.insert("recovery key", sheet.reveal().into());
    genuine.insert("escrow", sheet.escrow);
    let codes = ben.make_backup_codes(NOW_MS).unwrap();
    let first: Vec<u8> = codes.reveal().next().unwrap().into();
    genuine.insert("backup code", first);
    let head = ben.head().unwrap();
    genuine.insert("head", head.to_vec());
    let pinned = format!(
        "{}\n{}",
        str::from_utf8(&genuine["log key"]).unwrap(),
        str::from_utf8(&genuine["witness key"]).unwrap()
    );
    genuine.insert("payload", [&head[..], pinned.as_bytes()].concat());
    for kind in [InvitationKind::Scanned, InvitationKind::Typed] {
        let (name, names) = match kind {
            InvitationKind::Scanned => ("scanned", ["commit", "share", "reveal", "hello"]),
            InvitationKind::Typed => ("typed", ["commit 2", "share 2", "reveal 2", "hello 2"]),
        };
        let (mut new, mut old, commit) = pairing(ben, kind);
        genuine.insert(name, new.invitation().into());
        let share = new.receive(&commit).unwrap();
        let reveal = old.receive_share(&share).unwrap();
        let hello = new.receive(&reveal).unwrap();
        genuine.extend(names.into_iter().zip([commit, share, reveal, hello]));
    }
}

/// Two devices that have nothing but an invitation.
fn pairing(ben: &mut Session, kind: InvitationKind) -> (NewPairing, OldPairing, Vec<u8>) {
    let session = Session::create_with(Some(BEN), Box::new(Still(30))).unwrap();
    let new = NewPairing::invite(session, kind).unwrap();
    let (old, commit) = OldPairing::join(ben, kind, new.invitation()).unwrap();
    (new, old, commit)
}

/// What the new device makes of a last message with this in it, from an old device that says
/// what it likes.
fn admitted(payload: &[u8]) -> bool {
    let entropy = &mut Still(31);
    let session = Session::create_with(Some(BEN), Box::new(Still(30))).unwrap();
    let mut new = NewPairing::invite(session, InvitationKind::Typed).unwrap();
    let invitation = Invitation::enter(new.invitation()).unwrap();
    let (old, commit) = OldDevice::join(invitation, entropy).unwrap();
    let share = new.receive(&commit).unwrap();
    let (old, reveal) = old.receive_share(&share).unwrap();
    let hello = new.receive(&reveal).unwrap();
    let old = old.receive_hello(&hello).unwrap();
    let old = old.confirm(&new.digits().unwrap()).unwrap();
    let last = old.send(payload, entropy).unwrap();
    new.finish(&last).is_ok()
}

/// Gives the bytes to everything; returns how many took them.
pub fn session(world: &mut World, bytes: &[u8]) -> usize {
    let text = str::from_utf8(bytes);
    let read = text.map_or(0, |text| texts(world, text));
    chains(world, bytes)
        + hub(world, bytes)
        + records(world, bytes)
        + log(world, bytes)
        + strangers(world, bytes)
        + read
}

fn ok<T, E>(result: Result<T, E>) -> usize {
    usize::from(result.is_ok())
}

fn chains(world: &mut World, bytes: &[u8]) -> usize {
    let mut taken = 0;
    let World { ben, people, .. } = world;
    let own = ben.sigchain().unwrap();
    if ben.follow_sigchain(bytes, None).is_ok() {
        assert_eq!(own, bytes);
        taken += 1;
    }
    // Only the end of a chain is as long as this.
    if bytes.len() == ChainHead::BYTES {
        taken += ok(ben.follow_sigchain(&own, Some(bytes)));
        taken += ok(People::default().add(BEN, &own, Some(bytes)));
    }
    for user in [ANA, BEN] {
        taken += ok(people.add(user, bytes, None));
    }
    taken += ok(ben.open_items_key(bytes));
    taken += ok(ben.answer_login(bytes, ORIGIN, NOW_MS));
    assert_eq!(ben.sigchain().unwrap(), own);
    taken
}

fn hub(world: &mut World, bytes: &[u8]) -> usize {
    let mut taken = 0;
    let World {
        ben,
        people,
        genuine,
        links,
        ..
    } = world;
    let roster = &genuine["roster"];
    let (last, before) = links.split_last().unwrap();
    let mut followed: Vec<&[u8]> = before.iter().map(Vec::as_slice).collect();
    followed.push(bytes);
    if ben.follow_hub_links(HUB, &followed, None, people).is_ok() {
        assert_eq!(bytes, last);
        taken += 1;
    }
    if ben.follow_hub(HUB, bytes, None, people).is_ok() {
        assert_eq!(bytes, roster);
        taken += 1;
    }
    if bytes.len() == ChainHead::BYTES {
        taken += ok(ben.follow_hub(HUB, roster, Some(bytes), people));
    }
    let opened = ben.open_hub_key(HUB, bytes).is_ok();
    assert!(!opened || bytes == genuine["hub key"]);
    taken += usize::from(opened);
    let opened = ben.open_search_root(HUB, bytes).is_ok();
    assert!(!opened || bytes == genuine["search root"]);
    taken += usize::from(opened);
    if let Ok(opened) = ben.open_settings(HUB, bytes) {
        assert_eq!(*opened, WORDS);
        taken += 1;
    }
    let vouched = ben.check_voucher(HUB, &INVITED, BEN, bytes, people).is_ok();
    assert!(!vouched || bytes == genuine["voucher"]);
    taken += usize::from(vouched);
    assert_eq!(&ben.roster(HUB).unwrap(), roster);
    taken
}

fn records(world: &mut World, bytes: &[u8]) -> usize {
    let mut taken = 0;
    let World {
        ben,
        people,
        genuine,
        expectation,
        server,
        ..
    } = world;
    if let Ok(opened) = ben.open_note(bytes, expectation, people) {
        assert_eq!(*opened.plaintext, WORDS);
        assert_eq!(bytes, genuine["note"]);
        taken += 1;
    }
    taken += ok(ben.add_reader(bytes, expectation, BEN, people));
    taken += ok(ben.remove_reader(bytes, expectation, BEN, people));
    taken += ok(ben.revise_note(bytes, expectation, WORDS, &[], people));
    taken += ok(ben.sign_erasure(bytes, NOW_MS));
    if let Ok(moved) = ben.rewrap_note(bytes, expectation, people) {
        let moved = moved.expect("it is sealed to the slower key");
        // Moved is the front alone. Whether the body is whole, whoever opens it finds out.
        match ben.open_note(&moved.record, expectation, people) {
            Ok(opened) => {
                assert_eq!(*opened.plaintext, WORDS);
                assert_eq!(opened.rewrap, None);
                taken += 1;
            }
            Err(_) => assert_ne!(bytes, genuine["note"]),
        }
    }
    if let Ok(moved) = ben.rewrap_file(bytes, expectation, people) {
        assert_eq!(bytes, genuine["front"]);
        assert!(moved.is_some());
        taken += 1;
    }
    if let Ok(mut file) = ben.open_file(bytes, expectation, people) {
        taken += ok(file.push(bytes));
        taken += ok(file.finish());
    }
    if let Ok(opened) = ben.open_draft("draft", bytes) {
        assert_eq!(*opened, WORDS);
        taken += 1;
    }
    if let Ok(opened) = ben.open_export(bytes) {
        assert_eq!(*opened, WORDS);
        taken += 1;
    }
    if let Ok(mut heard) = ben.open_voicemail(bytes.to_vec(), None) {
        for index in 0..=heard.chunk_count() {
            taken += ok(heard.chunk(index));
        }
    }
    let (file, header) = (&genuine["voicemail"], &genuine["voicemail header"]);
    for (file, header) in [(file.as_slice(), bytes), (bytes, header.as_slice())] {
        let signed = SignedRecording {
            header,
            hub: HUB,
            record: RECORD,
            server: *server,
        };
        let opened = ben.open_voicemail(file.to_vec(), Some(signed)).is_ok();
        assert!(!opened || [file, header] == [&genuine["voicemail"], &genuine["voicemail header"]]);
        taken += usize::from(opened);
    }
    taken
}

fn log(world: &mut World, bytes: &[u8]) -> usize {
    let mut taken = 0;
    let World {
        follower, genuine, ..
    } = world;
    let checkpoint = str::from_utf8(&genuine["checkpoint"]).unwrap();
    // As a proof, which is hashes of 32 bytes.
    if bytes.len() < 64 || bytes.len().is_multiple_of(32) {
        taken += ok(follower.accept(checkpoint, bytes, NOW_S, 60));
    }
    if follower.download(bytes).is_ok() {
        assert!(bytes == genuine["leaf"] || follower.size() == 0);
        taken += 1;
    }
    drop(ServerKey::new(DeviceId::from_bytes([9; 16]), bytes));
    taken
}

/// What comes from a device that is not known yet.
fn strangers(world: &mut World, bytes: &[u8]) -> usize {
    let mut taken = 0;
    taken += ok(VaultFacts::of(bytes));
    // A head and a text; no text is longer than what is pinned.
    if (ChainHead::BYTES..4_096).contains(&bytes.len()) {
        taken += usize::from(admitted(bytes));
    }
    let code = "not a code";
    taken += ok(Session::recover(BEN, bytes, code));
    for (user, text) in [(BEN, "recovery key"), (BEN, "backup code")] {
        let text = str::from_utf8(&world.genuine[text]).unwrap();
        taken += ok(Session::recover(user, bytes, text));
        taken += ok(Session::recover_with_code(user, bytes, text));
    }
    // A share of another length is refused before the code is stretched, which takes a tenth of
    // a second.
    assert!(Unlocking::begin(bytes, "593018", Some(b"short"), None).is_err());
    if !bytes.starts_with(b"HLPM") {
        return taken;
    }
    for kind in [InvitationKind::Scanned, InvitationKind::Typed] {
        let (mut new, mut old, commit) = pairing(&mut world.ben, kind);
        taken += ok(new.receive(bytes));
        let revealed = old.receive_share(bytes);
        assert!(revealed.is_err() || old.receive_hello(bytes).is_err());
        taken += ok(revealed);
        let (mut new, mut old, again) = pairing(&mut world.ben, kind);
        assert_ne!(commit, again);
        let share = new.receive(&again).unwrap();
        taken += ok(new.receive(bytes));
        old.receive_share(&share).unwrap();
        taken += ok(old.receive_hello(bytes));
    }
    taken
}

fn texts(world: &mut World, text: &str) -> usize {
    let mut taken = 0;
    use crypto_session::{
        device_named, field_named, hub_named, invitation_named, kind_named, place_named,
        record_named, user_named, visibility_named,
    };
    macro_rules! shown {
        ($($read:ident),*) => {$(
            if let Ok(id) = $read(text) {
                assert_eq!(id.to_string(), text);
            }
        )*};
    }
    shown!(device_named, hub_named, record_named, user_named);
    if let Ok(id) = invitation_named(text) {
        assert_eq!(format!("{:032x}", u128::from_be_bytes(id)), text);
    }
    if let Ok(voucher) = world.ben.vouch(text) {
        let is_genuine = voucher == world.genuine["voucher"];
        let secret = str::from_utf8(&world.genuine["invite secret"]).unwrap();
        assert!(!is_genuine || text.trim().eq_ignore_ascii_case(secret));
        taken += 1;
    }
    taken += ok(kind_named(text));
    taken += ok(place_named("note", text, text));
    taken += ok(visibility_named(text));
    if let Ok(field) = field_named(text) {
        taken += ok(world.ben.index(HUB, field, text));
        taken += ok(world.ben.index(HUB, field, "a longer text of some words"));
    }
    let witness = world.witness_key.clone();
    taken += ok(LogFollower::new(text, std::slice::from_ref(&witness), 1));
    taken += ok(LogFollower::unwitnessed(text));
    let log_key = str::from_utf8(&world.genuine["log key"]).unwrap();
    taken += ok(LogFollower::new(log_key, &[text.to_owned()], 1));
    if let Ok(pinned) = text.parse::<Pinned>() {
        assert_eq!(pinned.to_string(), text);
        taken += 1;
    }
    taken += ok(world.follower.resume(text));
    taken += ok(world.follower.accept(text, &[], NOW_S, 60));
    let escrow = &world.genuine["escrow"];
    let recovered = Session::recover(BEN, escrow, text).is_ok();
    let right = str::from_utf8(&world.genuine["recovery key"]).unwrap();
    assert!(!recovered || letters(text) == letters(right));
    taken += ok(Session::recover_with_code(BEN, escrow, text));
    taken += ok(Session::backup_proof(BEN, text));
    drop(world.ben.redeem_invite(text, ORIGIN));
    drop(world.ben.redeem_invite("code", text));
    drop(world.ben.prove_request(text, text, b"", b"", NOW_MS));
    drop(world.ben.seal_draft(text, b""));
    for kind in [InvitationKind::Scanned, InvitationKind::Typed] {
        taken += ok(OldPairing::join(&mut world.ben, kind, text));
    }
    taken + usize::from(recovered)
}

/// As codes are compared: without what stands between, and with what is mistaken for a digit.
fn letters(code: &str) -> String {
    let letters = code.chars().filter(|one| one.is_ascii_alphanumeric());
    let letters = letters.map(|one| match one.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    letters.collect()
}
