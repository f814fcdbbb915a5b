//! What `Debug` shows of what is secret, in an app's log: nothing.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fmt::Debug;

use crypto_ffi::{Expectation, NewPairing, OldPairing, People, Place, Refusal, Session, Unlocking};

/// Whether it is shown with a part of a secret, as bytes or as text.
fn shows(shown: &dyn Debug, secret: &[u8]) -> bool {
    let shown: String = format!("{shown:?}").split_whitespace().collect();
    secret.windows(6).any(|part| {
        let bytes = format!("{part:?}").replace(' ', "");
        shown.contains(bytes.trim_matches(['[', ']']))
            || str::from_utf8(part).is_ok_and(|text| shown.contains(text))
    })
}

fn assert_silent(shown: &dyn Debug, secrets: &[&[u8]]) {
    for secret in secrets {
        assert!(!shows(shown, secret), "{shown:?}");
    }
}

#[test]
fn objects_show_no_secret() {
    let session = Session::create(None).unwrap();
    session.begin_sigchain(1).unwrap();
    let (device, prf): (Vec<u8>, Vec<u8>) = ((1..33).collect(), (101..133).collect());
    assert!(shows(&Some(device.clone()), &device) && shows(&"a secret", b"secret"));
    let shares = (Some(device.clone()), Some(prf.clone()));
    let changed = session.change_passcode("593018", shares.0, true, shares.1, 2);
    let changed = changed.unwrap();
    let vault = changed.vault();
    let unlocking = Unlocking::new(
        &vault.vault(),
        "593018",
        Some(device.clone()),
        Some(prf.clone()),
    );
    let unlocking = unlocking.unwrap();
    let (share, proof) = (vault.server_share().unwrap(), vault.server_proof().unwrap());
    let secrets: [&[u8]; 5] = [&device, &prf, &share, &proof, b"593018"];
    for shown in [&changed as &dyn Debug, &vault, &unlocking, &session] {
        assert_silent(shown, &secrets);
    }
    let sheet = session.make_recovery_key(3).unwrap();
    assert_silent(&sheet, &[sheet.reveal().as_bytes()]);
    let codes = session.make_backup_codes(4).unwrap();
    for code in codes.reveal() {
        assert_silent(&codes, &[code.as_bytes()]);
    }
    let new = NewPairing::new(&Session::create(Some(session.user())).unwrap(), true).unwrap();
    let invitation = new.invitation().unwrap();
    let old = OldPairing::new(&session, &invitation, true).unwrap();
    assert_silent(&new, &[invitation.as_bytes()]);
    assert_silent(&old, &[invitation.as_bytes()]);
}

#[test]
fn what_was_opened_shows_nothing_of_itself() -> Result<(), Refusal> {
    let words = b"Calls-every-Thursday";
    let ana = Session::create(None)?;
    ana.begin_sigchain(1)?;
    let place = Place::new("note", &"1".repeat(32), &"2".repeat(32))?;
    let people = People::new();
    let sealed = ana.seal_note(&place, words, Vec::new(), &people)?;
    let expected = Expectation::new(&place, &ana.user(), vec![ana.user()])?;
    let opened = ana.open_note(&sealed.record, &expected, &people)?;
    assert_eq!(opened.plaintext(), words);
    assert_silent(&opened, &[words]);
    Ok(())
}
