//! What `Debug` shows of what is secret, in a log or a failed test: nothing.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod people;

use std::fmt::Debug;

use crypto::identity::Sigchain;
use crypto::provisioning::InvitationKind;
use crypto::{OsEntropy, VoicemailMeta, VoicemailWriter};
use crypto_session::{NewPairing, OldPairing, People, Session, Unlocking, VaultShares};
use people::{NOW_MS, expected, knowing, person, place};

/// So many of a secret's bytes or letters in a row tell something, and do not come by chance.
const TELLING: usize = 6;

/// Whether it is shown with a part of a secret, in one of the usual spellings.
fn shows(shown: &dyn Debug, secret: &[u8]) -> bool {
    assert!(secret.len() >= TELLING);
    let mut spellings = [format!("{shown:?}"), format!("{shown:#?}")].into_iter();
    spellings.any(|shown| {
        let squeezed: String = shown.split_whitespace().collect();
        let listed = squeezed.replace(['[', ']'], ",");
        secret.windows(TELLING).any(|part| {
            let decimal: String = part.iter().map(|byte| format!("{byte},")).collect();
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            listed.contains(&format!(",{decimal}"))
                || squeezed.to_lowercase().contains(&hex)
                || str::from_utf8(part).is_ok_and(|text| shown.contains(text))
        })
    })
}

fn assert_silent(shown: &dyn Debug, secret: &[u8]) {
    assert!(!shows(shown, secret), "{shown:?}");
}

/// 32 bytes of a share.
fn share(first: u8) -> Vec<u8> {
    (first..first + 32).collect()
}

#[test]
fn what_is_shown_is_noticed() {
    let hex = format!("{:x}", u64::from_be_bytes(*b"\0\0secret"));
    let telling: [&dyn Debug; 5] = [
        b"secret",
        &[b"a secret".to_vec()],
        &Some(&b"secrets"[..]),
        &"my secret",
        &hex,
    ];
    for shown in telling {
        assert!(shows(shown, b"secret"), "{shown:?}");
    }
    assert!(!shows(&"nothing", b"secret"));
}

#[test]
fn vaults_show_no_share_no_proof_and_no_code() {
    let mut session = person();
    let (device, prf) = (share(1), share(101));
    let shares = VaultShares {
        device: Some(&device),
        server: true,
        prf: Some(&prf),
    };
    assert_silent(&shares, &device);
    assert_silent(&shares, &prf);
    let which = "VaultShares { device: true, server: true, prf: true }";
    assert_eq!(format!("{shares:?}"), which);
    let changed = session.change_passcode("593018", shares, NOW_MS).unwrap();
    let server = changed.vault.server.as_ref().unwrap();
    let unlocking =
        Unlocking::begin(&changed.vault.vault, "593018", Some(&device), Some(&prf)).unwrap();
    let proof = unlocking.server_proof();
    for secret in [&device, &prf, server.share(), server.proof(), &proof[..]] {
        assert_silent(&changed.vault, secret);
        assert_silent(&unlocking, secret);
    }
    for shown in [&changed as &dyn Debug, &unlocking, &session] {
        assert_silent(shown, b"593018");
    }
}

#[test]
fn sheets_and_pairings_show_no_code_and_no_digits() {
    let mut session = person();
    let sheet = session.make_recovery_key(NOW_MS).unwrap();
    assert_silent(&sheet, sheet.reveal().as_bytes());
    let codes = session.make_backup_codes(NOW_MS).unwrap();
    for code in codes.reveal() {
        assert_silent(&codes, code.as_bytes());
    }
    let fresh = Session::create(Some(session.user())).unwrap();
    let mut new = NewPairing::invite(fresh, InvitationKind::Typed).unwrap();
    let joined = OldPairing::join(&mut session, InvitationKind::Typed, new.invitation());
    let (mut old, commit) = joined.unwrap();
    assert_silent(&new, new.invitation().as_bytes());
    assert_silent(&old, new.invitation().as_bytes());
    let share = new.receive(&commit).unwrap();
    let reveal = old.receive_share(&share).unwrap();
    let hello = new.receive(&reveal).unwrap();
    old.receive_hello(&hello).unwrap();
    let digits: String = new.digits().unwrap().split_whitespace().collect();
    assert_silent(&new, digits.as_bytes());
    assert_silent(&old, digits.as_bytes());
}

#[test]
fn what_was_opened_shows_nothing_of_itself() {
    let words = b"Calls every Thursday";
    let mut ana = person();
    let people = knowing(&[&ana]);
    let place = place();
    let sealed = ana
        .seal_note(place, words, &[], &People::default())
        .unwrap();
    let expectation = expected(place, &ana, &[&ana]);
    let opened = ana
        .open_note(&sealed.record, &expectation, &people)
        .unwrap();
    assert_eq!(*opened.plaintext, words);
    assert_silent(&opened, words);
    assert_silent(&sealed, words);

    let mut sealing = ana.seal_file(place, 20, &[], &people).unwrap();
    let mut body = sealing.push(words).unwrap();
    assert_silent(&sealing, words);
    let file = ana.finish_file(sealing).unwrap();
    body.extend(&file.end);
    let mut opening = ana
        .open_file(&file.front.front, &expectation, &people)
        .unwrap();
    opening.push(&body).unwrap();
    assert_silent(&opening, words);

    let chain = Sigchain::decode(&ana.sigchain().unwrap()).unwrap();
    let meta = VoicemailMeta {
        hub: place.hub.to_string(),
        recording: place.record.to_string(),
        created_at_ms: NOW_MS,
        sample_rate_hz: 8_000,
    };
    let keys = [chain.state().reader().unwrap().key];
    let (mut writer, mut recording) = VoicemailWriter::new(&meta, &keys, &mut OsEntropy).unwrap();
    recording.extend(writer.push(words));
    recording.extend(writer.finish());
    let heard = ana.open_voicemail(recording, None).unwrap();
    assert_silent(&heard, words);
}
