//! Whatever is opened or verified with a key.

use std::io::Cursor;

use crypto::backup::BackupReader;
use crypto::cobblestone::{ContentKey, Decryptor};
use crypto::hub::{HubKeyWrap, Roster, SealedSettings, SearchRoot, Voucher};
use crypto::identity::{
    InviteProof, ItemsKey, LoginChallenge, LoginProof, RequestProof, TransportAttestation,
};
use crypto::provisioning::InvitationKind;
use crypto::record::{
    Erasure, Expected, Export, NOBODY, OpeningKey, Position, RecordAuthor, RecordFront,
    RecordHeader, SealedRecord,
};
use crypto::sframe::{CallKeyOffer, FrameOpener};
use crypto::vault::{BackupSet, Escrow};
use crypto::{DeviceId, SigningKey, VoicemailReader};
use sha2::{Digest, Sha256};

use super::world::{
    CALL, Conversation, DRAFT, INVITE_CODE, INVITED, NOTE, NOW_MS, ORIGIN, PAPER, SOUND, Still,
    WORDS, World,
};

/// Nothing panics, and what opens or verifies is what was sealed or signed. Returns how many did.
pub fn openers(world: &World, bytes: &[u8]) -> usize {
    people(world, bytes)
        + hub(world, bytes)
        + records(world, bytes)
        + files(world, bytes)
        + vaults(world, bytes)
        + conversations(world, bytes)
}

/// The search root of the hub.
pub fn search_root(world: &World) -> SearchRoot {
    SearchRoot::open(&world.hub_key, &world.genuine["search root"]).unwrap()
}

/// Counts what was taken, which must be that genuine message.
fn only(world: &World, name: &str, bytes: &[u8], taken: bool) -> usize {
    assert!(!taken || world.is(name, bytes), "a forged {name}");
    usize::from(taken)
}

fn people(world: &World, bytes: &[u8]) -> usize {
    let ana = &world.ana;
    let key = ana.keys.signing_key().verifying_key();
    let is = |name, taken| only(world, name, bytes, taken);
    let mut taken = 0;
    if let Ok(challenge) = LoginChallenge::decode(bytes) {
        // The server's word alone: nothing shows that it is genuine.
        taken += usize::from(challenge.answer(&ana.keys, ORIGIN, NOW_MS).is_ok());
    }
    if let Ok(proof) = LoginProof::decode(bytes) {
        taken += is(
            "login",
            proof.verify(&key, ORIGIN, NOW_MS, |_| true).is_ok(),
        );
    }
    if let Ok(proof) = RequestProof::decode(bytes) {
        let verified = proof.verify(&world.facts, &key, NOW_MS, |_| true);
        taken += is("request", verified.is_ok());
    }
    if let Ok(proof) = InviteProof::decode(bytes) {
        let code = Sha256::digest(INVITE_CODE).into();
        taken += is("invite", proof.verify(&ana.chain, ORIGIN, &code).is_ok());
    }
    if let Ok(attested) = TransportAttestation::decode(bytes) {
        taken += is("attestation", attested.verify(&key).is_ok());
    }
    let draft = ana.keys.open_draft(DRAFT, bytes);
    taken += is("draft", draft.is_ok());
    taken += is("items key", ItemsKey::open(&ana.puk, bytes).is_ok());
    let unwrapped = ana
        .items
        .unwrap_content_key(NOTE.record, 1, &[0; 32], bytes);
    assert!(unwrapped.is_err());
    if let Some(signature) = ana.keys.sign_for_mls(bytes) {
        assert!(bytes[1..].starts_with(b"MLS 1.0 "), "{signature:?}");
    }
    taken
}

fn hub(world: &World, bytes: &[u8]) -> usize {
    let is = |name, taken| only(world, name, bytes, taken);
    let mut taken = 0;
    if let Ok(roster) = Roster::decode(bytes, &world.chains) {
        assert_eq!(roster.encode(), bytes);
        assert!(world.roster.check_contains(&roster.head()).is_ok());
        taken += 1;
    }
    if let Ok(wrap) = HubKeyWrap::decode(bytes) {
        taken += is("hub key", wrap.open(&world.epoch, &world.ben.puk).is_ok());
    }
    if let Ok(sealed) = SealedSettings::decode(bytes) {
        let opened = sealed.open(&world.settings, &world.hub_key);
        taken += is("settings", opened.is_ok());
    }
    if let Ok(voucher) = Voucher::decode(bytes) {
        let checked = world
            .hub_key
            .check_voucher(&INVITED, world.ben.keys.user(), &voucher);
        taken += is("voucher", checked.is_ok());
    }
    let event = world.hub_key.open_event(&world.envelope, bytes);
    taken += is("event", event.is_ok());
    let root = SearchRoot::open(&world.hub_key, bytes);
    taken += is("search root", root.is_ok());
    if let Ok(offer) = CallKeyOffer::decode(bytes) {
        let opened = offer.open(&world.ben.keys, CALL, world.ana.chain.state());
        taken += is("call key", opened.is_ok());
    }
    let mut listener = FrameOpener::new(CALL);
    listener.use_key(world.bens_call_key.clone()).unwrap();
    taken + is("frame", listener.open(bytes).is_ok())
}

fn records(world: &World, bytes: &[u8]) -> usize {
    let (ana, ben) = (&world.ana, &world.ben);
    let expected = Expected {
        place: NOTE,
        at_least: Position::START,
        author: RecordAuthor::Person(ana.known()),
        manifest_signers: &[],
        allowed_readers: &world.allowed,
        former_readers: &NOBODY,
    };
    let keys = [ben.opening_key(), OpeningKey::ItemsKey(&ana.items)];
    let is = |name, taken| only(world, name, bytes, taken);
    let mut taken = 0;
    if let Ok(front) = RecordFront::decode(bytes) {
        taken += is("front", front.verify(&expected).is_ok());
        drop(front.check_follows(&front));
    }
    if let Ok(record) = SealedRecord::decode(bytes) {
        for key in &keys {
            let opened = record.open(key, &expected);
            taken += is("record", opened.is_ok());
        }
        pieces(&record, &expected, &keys[0]);
    }
    let genuine = SealedRecord::decode(&world.genuine["record"]).unwrap();
    body(&genuine, &expected, &keys[0], bytes);
    if let Ok(header) = RecordHeader::decode(bytes) {
        let author = RecordAuthor::Ingest {
            server: DeviceId::from_bytes([9; 16]),
            key: SigningKey::from_seed(&[8; 32]).verifying_key(),
        };
        taken += is("header", header.verify(&author).is_ok());
        drop(header.check_body(SOUND));
    }
    if let Ok(erasure) = Erasure::decode(bytes) {
        taken += is("erasure", erasure.verify(&ana.known()).is_ok());
        let covers = erasure.covers(genuine.front());
        assert!(!covers || erasure.record() == NOTE.record);
    }
    if let Ok(export) = Export::decode(bytes)
        && let Ok(opened) = export.open(&ben.opening_key())
    {
        assert_eq!(*opened, WORDS);
        taken += 1;
    }
    taken
}

/// A body opens in pieces when it opens whole, and gives the same.
fn pieces(record: &SealedRecord, expected: &Expected<'_>, key: &OpeningKey<'_>) {
    let Ok(front) = record.front().verify(expected) else {
        return;
    };
    let whole = front.open(record.body(), key).ok();
    let mut opener = front.open_pieces(key).unwrap();
    let mut plain = Vec::new();
    let mut fits = true;
    for piece in record.body().chunks(61) {
        match opener.push(piece) {
            Ok(more) => plain.extend_from_slice(&more),
            Err(_) => fits = false,
        }
    }
    let in_pieces = opener
        .finish()
        .ok()
        .filter(|_| fits)
        .map(|rest| [&plain[..], &rest[..]].concat());
    assert_eq!(whole.map(|opened| opened.plaintext.to_vec()), in_pieces);
}

/// The bytes as the body of a genuine record.
fn body(record: &SealedRecord, expected: &Expected<'_>, key: &OpeningKey<'_>, bytes: &[u8]) {
    // As long as the commitment is right, at least.
    if bytes.get(..56) != record.body().get(..56) {
        return;
    }
    let front = record.front().verify(expected).unwrap();
    let opened = front.open(bytes, key);
    assert!(opened.is_err() || bytes == record.body());
    if let Ok(mut reader) = front.open_stream(Cursor::new(bytes), key) {
        for index in 0..=reader.chunk_count() {
            drop(reader.read_chunk(index));
        }
        assert_eq!(reader.check_all().is_ok(), bytes == record.body());
    }
}

fn files(world: &World, bytes: &[u8]) -> usize {
    let mut taken = 0;
    let key = &world.ben.secret;
    if let Ok(mut reader) = VoicemailReader::open(Cursor::new(bytes), key) {
        let sound: Result<Vec<_>, _> = reader.chunks().collect();
        let sound = sound.unwrap_or_default().concat();
        assert!(SOUND.starts_with(&sound));
        if reader.is_complete() {
            assert_eq!(reader.pcm_bytes(), SOUND.len() as u64);
        }
        taken += 1;
    }
    if let Ok(mut reader) = BackupReader::open(bytes, key) {
        while let Ok(Some(piece)) = reader.next_piece() {
            assert_eq!(*piece, WORDS);
        }
        taken += 1;
    }
    let content_key = ContentKey::from_slice(&[7; 32]).unwrap();
    let mut decryptor = Decryptor::new(content_key, b"context");
    assert!(decryptor.push(bytes).is_err() || decryptor.finish().is_err());
    taken
}

fn vaults(world: &World, bytes: &[u8]) -> usize {
    let user = world.ana.keys.user();
    let mut taken = 0;
    if let Ok(escrow) = Escrow::decode(bytes) {
        let opened = escrow.open(user, &world.recovery);
        taken += only(world, "escrow", bytes, opened.is_ok());
    }
    if let Ok(mut set) = BackupSet::decode(bytes)
        && let Ok(escrow) = set.redeem(&world.code.auth(user))
        && let Ok(paper) = escrow.open(user, &world.code)
    {
        assert_eq!(*paper, PAPER);
        taken += 1;
    }
    taken
}

/// The bytes in each device's turn.
fn conversations(world: &World, bytes: &[u8]) -> usize {
    if !bytes.starts_with(b"HLPM") {
        return 0;
    }
    let mut taken = 0;
    for (kind, name) in [
        (InvitationKind::Scanned, "scanned"),
        (InvitationKind::Typed, "typed"),
    ] {
        let [commit, share, reveal, ..] = Conversation::new(kind).messages();
        let talk = || Conversation::new(kind);
        taken += usize::from(talk().new.receive_commit(bytes).is_ok());
        taken += usize::from(talk().old.receive_share(bytes).is_ok());
        let (agreed, _) = talk().new.receive_commit(&commit).unwrap();
        let revealed = agreed.receive_reveal(bytes, WORDS, &mut Still(32));
        taken += only(world, &format!("{name} 3"), bytes, revealed.is_ok());
        let (revealed, _) = talk().old.receive_share(&share).unwrap();
        let hello = revealed.receive_hello(bytes);
        taken += only(world, &format!("{name} 4"), bytes, hello.is_ok());
        let (agreed, _) = talk().new.receive_commit(&commit).unwrap();
        let waiting = agreed.receive_reveal(&reveal, WORDS, &mut Still(32));
        let payload = waiting.unwrap().0.receive_payload(bytes);
        taken += only(world, &format!("{name} 5"), bytes, payload.is_ok());
    }
    taken
}
