//! What the members of a hotline do together, and what a lying server gets.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod people;

use std::collections::BTreeSet;

use crypto::hub::{Change, HubKeyWrap, IndexField, Role, RoleFlags, RoleId, Visibility};
use crypto::identity::{ChainHead, InviteProof, Sigchain};
use crypto::record::{Position, RecordHeader, RecordKind, RecordPlace, RecordWriter};
use crypto::transparency::{Leaf, Log, LogSigner, NoteName, Subject, Witness, WitnessSigner};
use crypto::{DeviceId, HubId, OsEntropy, RecordId, SigningKey, VoicemailMeta, VoicemailWriter};
use crypto_session::{
    Author, Code, Expectation, LogFollower, People, ServerKey, Session, SignedRecording,
    VaultShares,
};
use people::{NOW_MS, code, knowing, person};
use sha2::{Digest, Sha256};

const ADMIN: RoleId = RoleId(1);
const VOLUNTEER: RoleId = RoleId(2);
const HUB: HubId = HubId::from_bytes([0x11; 16]);
const ORIGIN: &str = "https://hotline.example";

fn roles() -> [(RoleId, Role); 2] {
    let role = |admin| Role {
        flags: RoleFlags {
            admin,
            reviewer: false,
        },
        permissions: 0,
    };
    [(ADMIN, role(true)), (VOLUNTEER, role(false))]
}

/// A hotline of an admin, with a key.
fn founded() -> (Session, Vec<u8>) {
    let mut admin = person();
    admin.create_hub(HUB, &roles(), ADMIN, NOW_MS).unwrap();
    let key = admin.new_hub_key(HUB, None, &People::default(), NOW_MS);
    (admin, key.unwrap().search_root)
}

#[test]
fn a_member_who_comes_later_gets_keys_settings_and_search() {
    let (mut ana, search_root) = founded();
    let mut ben = person();
    let people = knowing(&[&ana, &ben]);
    let settings = ana.seal_settings(HUB, b"{\"name\":\"night\"}", &people, NOW_MS);
    let settings = settings.unwrap();
    assert_eq!(
        code(ana.wrap_hub_key(HUB, ben.user(), &people)),
        Code::NotAllowed
    );
    ana.add_member(HUB, ben.user(), VOLUNTEER, &people, NOW_MS)
        .unwrap();
    let wrap = ana.wrap_hub_key(HUB, ben.user(), &people).unwrap();

    assert_eq!(code(ben.open_hub_key(HUB, &wrap)), Code::KeyNeeded);
    let roster = ana.roster(HUB).unwrap();
    let head = ana.roster_head(HUB).unwrap();
    ben.follow_hub(HUB, &roster, Some(&head), &people).unwrap();
    assert_eq!(code(ben.open_settings(HUB, &settings)), Code::KeyNeeded);
    ben.open_hub_key(HUB, &wrap).unwrap();
    ben.open_search_root(HUB, &search_root).unwrap();
    let opened = ben.open_settings(HUB, &settings).unwrap();
    assert_eq!(*opened, b"{\"name\":\"night\"}");
    let name = |session: &Session, name| session.index(HUB, IndexField::NAME_WORD, name).unwrap();
    assert_eq!(
        name(&ana, "Mar\u{ed}a L\u{f3}pez"),
        name(&ben, "MAR\u{cd}A l\u{f3}pez")
    );
    assert_eq!(name(&ana, "one two").len(), 2);
    let case = ben.readers(HUB, Visibility::Case, ben.user()).unwrap();
    assert_eq!(case, [ana.user(), ben.user()].into());
    let refused = ben.seal_settings(HUB, b"forged", &people, NOW_MS);
    assert_eq!(code(refused), Code::NotAllowed);
    ben.lock();
    assert_eq!(code(ben.open_settings(HUB, &settings)), Code::Locked);
    assert_eq!(code(ben.roster(HUB)), Code::Locked);
}

#[test]
fn who_leaves_opens_nothing_new_and_old_settings_are_refused() {
    let (mut ana, _) = founded();
    let mut ben = person();
    let people = knowing(&[&ana, &ben]);
    ana.add_member(HUB, ben.user(), VOLUNTEER, &people, NOW_MS)
        .unwrap();
    let old = ana.seal_settings(HUB, b"old", &people, NOW_MS).unwrap();
    ben.follow_hub(HUB, &ana.roster(HUB).unwrap(), None, &people)
        .unwrap();
    let wrap = ana.wrap_hub_key(HUB, ben.user(), &people).unwrap();
    ben.open_hub_key(HUB, &wrap).unwrap();
    let before = ana.roster(HUB).unwrap();

    let leaving = vec![Change::RemoveMember { user: ben.user() }];
    ana.change_hub(HUB, leaving, &people, NOW_MS).unwrap();
    assert!(ana.hub(HUB).unwrap().hub_key_rotation_due());
    // Settings that were not given would be lost under the next key.
    assert_eq!(
        code(ana.new_hub_key(HUB, None, &people, NOW_MS)),
        Code::KeyNeeded
    );
    let next = ana.new_hub_key(HUB, Some(&old), &people, NOW_MS).unwrap();
    let users: Vec<_> = next.wraps.iter().map(|(user, _)| *user).collect();
    assert_eq!(users, [ana.user()]);
    let settings = next.settings.unwrap();
    assert_eq!(*ana.open_settings(HUB, &settings).unwrap(), b"old");
    assert_eq!(code(ana.open_settings(HUB, &old)), Code::Rollback);

    ben.follow_hub(HUB, &ana.roster(HUB).unwrap(), None, &people)
        .unwrap();
    assert_eq!(code(ben.open_settings(HUB, &settings)), Code::KeyNeeded);
    let wrap = &next.wraps[0].1;
    assert_eq!(code(ben.open_hub_key(HUB, wrap)), Code::NotForYou);
    let rolled_back = ben.follow_hub(HUB, &before, None, &people);
    assert_eq!(code(rolled_back), Code::Rollback);
    let head = ana.roster_head(HUB).unwrap();
    ben.forget_hub(HUB).unwrap();
    let rolled_back = ben.follow_hub(HUB, &before, Some(&head), &people);
    assert_eq!(code(rolled_back), Code::Rollback);
}

#[test]
fn two_admins_at_once_are_settled_by_following_the_faster() {
    let (mut ana, _) = founded();
    let mut ben = person();
    let people = knowing(&[&ana, &ben]);
    ana.add_member(HUB, ben.user(), ADMIN, &people, NOW_MS)
        .unwrap();
    let common = ana.roster_head(HUB).unwrap();
    ben.follow_hub(HUB, &ana.roster(HUB).unwrap(), None, &people)
        .unwrap();
    let define = |id| vec![Change::DefineRole(RoleId(id), roles()[1].1)];
    ana.change_hub(HUB, define(7), &people, NOW_MS).unwrap();
    ben.change_hub(HUB, define(8), &people, NOW_MS).unwrap();
    let faster = ana.roster(HUB).unwrap();
    assert_eq!(
        code(ben.follow_hub(HUB, &faster, None, &people)),
        Code::Moved
    );
    ben.forget_hub(HUB).unwrap();
    ben.follow_hub(HUB, &faster, Some(&common), &people)
        .unwrap();
    ben.change_hub(HUB, define(8), &people, NOW_MS).unwrap();
    ana.follow_hub(HUB, &ben.roster(HUB).unwrap(), None, &people)
        .unwrap();
    assert_eq!(ana.hub(HUB).unwrap().roles().count(), 4);
}

#[test]
fn a_member_s_lost_device_makes_a_new_key_due_once_it_is_noted() {
    let (mut ana, _) = founded();
    let mut ben = person();
    let mut people = knowing(&[&ana, &ben]);
    ana.add_member(HUB, ben.user(), VOLUNTEER, &people, NOW_MS)
        .unwrap();
    assert!(!ana.note_devices(HUB, &people, NOW_MS).unwrap());
    let sheet = ben.make_recovery_key(NOW_MS).unwrap();
    ben.revoke_device(sheet.device, NOW_MS).unwrap();
    ben.rotate_key(NOW_MS).unwrap();
    people
        .add(ben.user(), &ben.sigchain().unwrap(), None)
        .unwrap();
    assert!(!ana.hub(HUB).unwrap().hub_key_rotation_due());
    assert!(ana.note_devices(HUB, &people, NOW_MS).unwrap());
    assert!(ana.hub(HUB).unwrap().hub_key_rotation_due());
}

#[test]
fn a_roster_goes_to_the_server_and_back_link_by_link() {
    let (mut ana, _) = founded();
    let mut ben = person();
    let people = knowing(&[&ana, &ben]);
    let known = ana.hub(HUB).unwrap().head().seqno;
    let mut server = ana.roster_links_after(HUB, 0).unwrap();
    assert_eq!(server.len(), known as usize);
    assert!(ana.roster_links_after(HUB, known).unwrap().is_empty());
    ana.add_member(HUB, ben.user(), VOLUNTEER, &people, NOW_MS)
        .unwrap();
    let before = server.clone();
    server.extend(ana.roster_links_after(HUB, known).unwrap());
    assert_eq!(server.len(), before.len() + 1);
    assert!(ana.roster_links_after(HUB, u32::MAX).unwrap().is_empty());

    let head = ana.roster_head(HUB).unwrap();
    let cut = ben.follow_hub_links(HUB, &before, Some(&head), &people);
    assert_eq!(code(cut), Code::Rollback);
    let other = HubId::from_bytes([0x12; 16]);
    assert_eq!(
        code(ben.follow_hub_links(other, &server, None, &people)),
        Code::Moved
    );
    ben.follow_hub_links(HUB, &server, Some(&head), &people)
        .unwrap();
    assert_eq!(ben.roster(HUB).unwrap(), ana.roster(HUB).unwrap());
    assert_eq!(
        code(ben.follow_hub_links(HUB, &before, None, &people)),
        Code::Rollback
    );
    assert_eq!(
        code(ben.follow_hub_links(HUB, &before[1..], None, &people)),
        Code::Altered
    );
    let none: [&[u8]; 0] = [];
    assert_eq!(
        code(ben.follow_hub_links(HUB, &none, None, &people)),
        Code::Malformed
    );
}

#[test]
fn the_hub_key_is_handed_to_the_key_that_came_with_a_new_pin() {
    let (mut ana, _) = founded();
    let mut ben = person();
    let people = knowing(&[&ana, &ben]);
    ana.add_member(HUB, ben.user(), VOLUNTEER, &people, NOW_MS)
        .unwrap();
    let before = ana.wrap_hub_key(HUB, ben.user(), &people).unwrap();
    let shares = VaultShares {
        server: true,
        ..VaultShares::default()
    };
    ben.change_passcode("480213", shares, NOW_MS).unwrap();
    let people = knowing(&[&ana, &ben]);
    let wrap = ana.wrap_hub_key(HUB, ben.user(), &people).unwrap();
    let generation = |wrap: &[u8]| HubKeyWrap::decode(wrap).unwrap().generation();
    assert_eq!((generation(&before), generation(&wrap)), (1, 2));
    let links = ana.roster_links_after(HUB, 0).unwrap();
    ben.follow_hub_links(HUB, &links, None, &people).unwrap();
    ben.open_hub_key(HUB, &wrap).unwrap();
}

#[test]
fn an_invite_is_redeemed_for_the_keys_of_this_device() {
    let session = Session::create(None).unwrap();
    assert_eq!(code(session.redeem_invite("code", ORIGIN)), Code::KeyNeeded);
    let session = person();
    let proof = session.redeem_invite("code", ORIGIN).unwrap();
    let proof = InviteProof::decode(&proof).unwrap();
    let chain = Sigchain::decode(&session.sigchain().unwrap()).unwrap();
    let code_hash = Sha256::digest("code").into();
    assert_eq!(proof.verify(&chain, ORIGIN, &code_hash), Ok(()));
}

/// The server's key for what it seals as it comes in.
fn server() -> (SigningKey, ServerKey) {
    let key = SigningKey::from_seed(&[9; 32]);
    let id = DeviceId::from_bytes([9; 16]);
    let pinned = ServerKey::new(id, key.verifying_key().as_bytes()).unwrap();
    (key, pinned)
}

fn reader_of(session: &Session) -> crypto::identity::Reader {
    let chain = Sigchain::decode(&session.sigchain().unwrap()).unwrap();
    chain.state().reader().unwrap()
}

#[test]
fn who_called_is_read_by_whom_the_server_sealed_it_to() {
    let (ana, ben) = (person(), person());
    let people = knowing(&[&ana, &ben]);
    let (key, server) = server();
    let place = RecordPlace {
        kind: RecordKind::Contact,
        hub: HUB,
        record: RecordId::from_bytes([2; 16]),
    };
    let sealed = RecordWriter::ingest(server.id, &key)
        .seal(place, b"+4930123456", &[reader_of(&ana)], &mut OsEntropy)
        .unwrap()
        .encode();
    let mut expectation = Expectation {
        place,
        author: Author::Server(server),
        at_least: Position::START,
        readers: [ana.user()].into(),
        former: BTreeSet::new(),
    };
    let opened = ana.open_note(&sealed, &expectation, &people).unwrap();
    assert_eq!(*opened.plaintext, b"+4930123456");
    assert_eq!(
        code(ben.open_note(&sealed, &expectation, &people)),
        Code::NotForYou
    );
    // It cannot be shown as a person's, nor as another server's.
    expectation.author = ana.user().into();
    assert!(ana.open_note(&sealed, &expectation, &people).is_err());
    let other = SigningKey::from_seed(&[8; 32]).verifying_key();
    let other = ServerKey::new(server.id, other.as_bytes()).unwrap();
    expectation.author = Author::Server(other);
    assert_eq!(
        code(ana.open_note(&sealed, &expectation, &people)),
        Code::Altered
    );
}

#[test]
fn a_voicemail_is_heard_also_after_the_key_was_rotated() {
    let (mut ana, ben) = (person(), person());
    let record = RecordId::from_bytes([5; 16]);
    let meta = VoicemailMeta {
        hub: HUB.to_string(),
        recording: record.to_string(),
        created_at_ms: NOW_MS,
        sample_rate_hz: 8_000,
    };
    let keys = [reader_of(&ana).key];
    let (mut writer, mut file) = VoicemailWriter::new(&meta, &keys, &mut OsEntropy).unwrap();
    let sound = vec![7; 40_000];
    file.extend(writer.push(&sound));
    file.extend(writer.finish());
    ana.rotate_key(NOW_MS).unwrap();
    let mut heard = ana.open_voicemail(file.clone(), None).unwrap();
    assert!(heard.is_complete());
    assert_eq!(heard.meta(), &meta);
    let chunks = (0..heard.chunk_count()).map(|index| heard.chunk(index).unwrap().to_vec());
    assert!(chunks.collect::<Vec<_>>().concat() == sound);
    assert_eq!(
        code(ben.open_voicemail(file.clone(), None)),
        Code::NotForYou
    );

    let (key, server) = server();
    let header = RecordHeader::of_voicemail(HUB, record, file.as_slice(), server.id, &key);
    let header = header.unwrap().encode();
    let signed = |record| SignedRecording {
        header: &header,
        hub: HUB,
        record,
        server,
    };
    assert!(
        ana.open_voicemail(file.clone(), Some(signed(record)))
            .is_ok()
    );
    let other = RecordId::from_bytes([6; 16]);
    let moved = ana.open_voicemail(file.clone(), Some(signed(other)));
    assert_eq!(code(moved), Code::Moved);
    let under_another_name =
        RecordHeader::of_voicemail(HUB, other, file.as_slice(), server.id, &key).unwrap();
    let signed_as_other = SignedRecording {
        header: &under_another_name.encode(),
        ..signed(other)
    };
    let moved = ana.open_voicemail(file.clone(), Some(signed_as_other));
    assert_eq!(code(moved), Code::Moved);
    *file.last_mut().unwrap() ^= 1;
    let altered = ana.open_voicemail(file, Some(signed(record)));
    assert_eq!(code(altered), Code::Altered);
}

/// A log with one witness.
struct Logged {
    log: Log,
    signer: LogSigner,
    witness: Witness,
    follower: LogFollower,
}

impl Logged {
    fn new() -> Self {
        let name = |text| NoteName::new(text).unwrap();
        let origin = name("hotline.example/log");
        let signer = LogSigner::new(origin.clone(), SigningKey::from_seed(&[1; 32]));
        let cosigner = WitnessSigner::new(name("partner.example"), SigningKey::from_seed(&[2; 32]));
        let witnesses = [cosigner.key().to_string()];
        let follower = LogFollower::new(&signer.key().to_string(), &witnesses, 1).unwrap();
        let mut witness = Witness::new(cosigner);
        witness.watch(signer.key().clone());
        Self {
            log: Log::new(origin),
            witness,
            signer,
            follower,
        }
    }

    fn enter(&mut self, session: &Session) {
        let chain = Sigchain::decode(&session.sigchain().unwrap()).unwrap();
        let head = chain.head();
        let subject = Subject::User(chain.user());
        self.log.append(Leaf { subject, head });
    }

    fn enter_roster(&mut self, session: &Session) {
        let head = session.hub(HUB).unwrap().head();
        let subject = Subject::Roster(HUB);
        self.log.append(Leaf { subject, head });
    }

    fn checkpoint(&mut self) -> String {
        let old = self.follower.size();
        let signed = self.log.sign(&self.signer);
        let request = self.log.request(old, &signed).unwrap();
        let confirmed = self
            .witness
            .add_checkpoint(&request.to_body(), NOW_MS / 1_000);
        let lines = confirmed.unwrap();
        let confirmed = signed.with_cosignatures(&lines).unwrap();
        confirmed.as_str().to_owned()
    }

    /// The follower takes the newest checkpoint and all entries.
    fn follow(&mut self) -> String {
        let checkpoint = self.checkpoint();
        let proof = self
            .log
            .prove_consistency(self.follower.size(), self.log.size());
        let proof = proof.unwrap().hashes().concat();
        let now_s = NOW_MS / 1_000;
        let stored = self
            .follower
            .accept(&checkpoint, &proof, now_s, 60)
            .unwrap();
        let entries: Vec<u8> = self.log.leaves().iter().flat_map(Leaf::encode).collect();
        self.follower.download(&entries).unwrap();
        stored
    }
}

#[test]
fn the_key_log_shows_what_the_server_did_with_names() {
    let (mut ana, _) = founded();
    let mut ben = person();
    let mut logged = Logged::new();
    assert_eq!(code(logged.follower.check_own(&ana)), Code::KeyNeeded);
    logged.enter(&ana);
    logged.enter_roster(&ana);
    let stored = logged.follow();
    assert_eq!(logged.follower.size(), 2);
    logged.follower.check_own(&ana).unwrap();
    logged.follower.check_hub(&ana, HUB).unwrap();
    let people = knowing(&[&ana, &ben]);
    // Somebody whom the server shows to this app alone.
    assert_eq!(code(logged.follower.check_people(&people)), Code::Unlogged);
    logged.enter(&ben);
    logged.follow();
    logged.follower.check_people(&people).unwrap();
    // A newer list is in the log than the server gave.
    ben.rotate_key(NOW_MS).unwrap();
    logged.enter(&ben);
    logged.follow();
    assert_eq!(code(logged.follower.check_people(&people)), Code::Rollback);
    // The device's own change is kept from the others.
    ana.rotate_key(NOW_MS).unwrap();
    assert_eq!(code(logged.follower.check_own(&ana)), Code::Withheld);
    logged.enter(&ana);
    logged.follow();
    logged.follower.check_own(&ana).unwrap();
    let smaller = logged.follower.accept(&stored, b"", NOW_MS / 1_000, 60);
    assert_eq!(code(smaller), Code::Rollback);
    let malformed = logged
        .follower
        .accept(&stored, &[0; 31], NOW_MS / 1_000, 60);
    assert_eq!(code(malformed), Code::Malformed);
    logged.follower.resume(&stored).unwrap();
    assert_eq!(logged.follower.size(), 2);
}

/// The server has one of Ana's devices, which was stolen and is not revoked yet, and shows what it
/// signs to Ben alone.
#[test]
fn what_goes_on_beyond_the_key_log_is_believed_by_nobody() {
    let (mut ana, _) = founded();
    let (mut ben, eve) = (person(), person());
    ana.add_member(HUB, ben.user(), VOLUNTEER, &knowing(&[&ana, &ben]), NOW_MS)
        .unwrap();
    let mut logged = Logged::new();
    for person in [&ana, &ben, &eve] {
        logged.enter(person);
    }
    logged.enter_roster(&ana);
    logged.follow();
    let follower = &logged.follower;
    let seen = |ben: &mut Session, ana: &Session, people: &People| {
        ben.forget_hub(HUB).unwrap();
        ben.follow_hub(HUB, &ana.roster(HUB).unwrap(), None, people)
            .unwrap();
    };
    let shown = knowing(&[&ana, &ben, &eve]);
    follower.check_people(&shown).unwrap();
    seen(&mut ben, &ana, &shown);
    follower.check_hub(&ben, HUB).unwrap();

    // Another member, with keys that are in the log.
    ana.add_member(HUB, eve.user(), ADMIN, &shown, NOW_MS)
        .unwrap();
    seen(&mut ben, &ana, &shown);
    let readers = ben.readers(HUB, Visibility::Case, ben.user()).unwrap();
    let readers: Vec<_> = readers.into_iter().collect();
    let note = ben.seal_note(people::place(), b"told in confidence", &readers, &shown);
    assert!(
        note.is_ok() && readers.contains(&eve.user()),
        "Eve would read"
    );
    assert_eq!(code(follower.check_hub(&ben, HUB)), Code::Unlogged);

    // Another key of a member who is in the log.
    ana.rotate_key(NOW_MS).unwrap();
    let shown = knowing(&[&ana, &ben, &eve]);
    assert_eq!(code(follower.check_people(&shown)), Code::Unlogged);

    // Once everybody can see both, they are believed.
    logged.enter(&ana);
    logged.enter_roster(&ana);
    logged.follow();
    logged.follower.check_people(&shown).unwrap();
    logged.follower.check_hub(&ben, HUB).unwrap();
}

#[test]
fn keys_under_one_s_own_name_that_one_did_not_make_are_found() {
    let ana = person();
    let mut logged = Logged::new();
    let foreign = ChainHead {
        seqno: 1,
        hash: [9; 32],
    };
    logged.log.append(Leaf {
        subject: Subject::User(ana.user()),
        head: foreign,
    });
    logged.enter(&ana);
    logged.follow();
    assert_eq!(code(logged.follower.check_own(&ana)), Code::ForeignKeys);
}

#[test]
fn a_hotline_without_witnesses_still_notices_what_is_shown_to_one_device() {
    let (mut ana, _) = founded();
    let mut logged = Logged::new();
    let key = logged.signer.key().to_string();
    assert!(logged.follower.is_witnessed());
    assert_eq!(code(LogFollower::new(&key, &[], 0)), Code::Malformed);
    let mut alone = LogFollower::unwitnessed(&key).unwrap();
    assert!(!alone.is_witnessed());
    logged.enter(&ana);
    let first = logged.log.sign(&logged.signer).as_str().to_owned();
    alone.accept(&first, b"", 0, 60).unwrap();
    let entries = |log: &Log| -> Vec<u8> { log.leaves().iter().flat_map(Leaf::encode).collect() };
    alone.download(&entries(&logged.log)).unwrap();
    alone.check_own(&ana).unwrap();

    let mut other = Log::new(logged.signer.key().name().clone());
    let head = ChainHead {
        seqno: 3,
        hash: [9; 32],
    };
    let subject = Subject::User(ana.user());
    other.append(Leaf { subject, head });
    let fork = other.sign(&logged.signer).as_str().to_owned();
    assert_eq!(code(alone.accept(&fork, b"", 0, 60)), Code::Moved);
    logged.log.append(Leaf { subject, head });
    let grown = logged.log.sign(&logged.signer).as_str().to_owned();
    assert_eq!(code(alone.accept(&grown, b"", 0, 60)), Code::Moved);
    let proof = logged.log.prove_consistency(1, 2).unwrap();
    let proof = proof.hashes().concat();
    ana.rotate_key(NOW_MS).unwrap();
    let stored = alone.accept(&grown, &proof, 0, 60).unwrap();
    alone.download(&entries(&logged.log)).unwrap();
    assert_eq!(code(alone.check_own(&ana)), Code::ForeignKeys);
    let mut resumed = LogFollower::unwitnessed(&key).unwrap();
    resumed.resume(&stored).unwrap();
    assert_eq!(code(resumed.accept(&first, b"", 0, 60)), Code::Rollback);
}
