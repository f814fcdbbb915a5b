//! Whatever people type and what comes as text.

use crypto::hub::{IndexField, InviteSecret};
use crypto::identity::RequestFacts;
use crypto::provisioning::{Invitation, InvitationKind};
use crypto::transparency::{
    AddCheckpoint, Client, LogKey, LogSigner, NoteName, Proof, SignedCheckpoint, WitnessKey,
    WitnessSigner,
};
use crypto::vault::{BackupCode, ChosenPasscode, Passcode, RecoveryKey};
use crypto::{CallerIdKey, ReaderPublicKey, ReaderSecretKey};

use super::openers::search_root;
use super::world::{Conversation, NOW_S, World};

/// Nothing panics, and what is taken reads the same when it is written and read again.
pub fn texts(world: &World, text: &str) -> usize {
    keys(text) + codes(text) + checkpoints(world, text) + words(world, text)
}

fn keys(text: &str) -> usize {
    let mut taken = 0;
    macro_rules! shown {
        ($($name:ident: $show:ident),*) => {$(
            if let Ok(key) = text.parse::<$name>() {
                let shown = key.$show().to_string();
                // White space around it and the case of some do not count.
                let same = text.trim().eq_ignore_ascii_case(&shown);
                assert!(same, "{} {text:?} {shown}", stringify!($name));
                taken += 1;
            }
        )*};
    }
    shown!(
        CallerIdKey: reveal,
        InviteSecret: reveal,
        LogKey: to_string,
        LogSigner: reveal,
        ReaderPublicKey: to_string,
        ReaderSecretKey: reveal,
        WitnessKey: to_string,
        WitnessSigner: reveal
    );
    if let Ok(name) = NoteName::new(text) {
        assert_eq!(name.as_str(), text);
    }
    taken
}

fn codes(text: &str) -> usize {
    let mut taken = 0;
    macro_rules! same_again {
        ($($read:expr),*) => {$(
            if let Ok(code) = $read(text) {
                let shown = code.reveal();
                let again = $read(&shown).unwrap().reveal();
                assert_eq!(shown, again);
                taken += 1;
            }
        )*};
    }
    same_again!(
        str::parse::<BackupCode>,
        str::parse::<RecoveryKey>,
        Invitation::scan,
        Invitation::enter
    );
    drop(Passcode::entered(text));
    drop(ChosenPasscode::new(text));
    taken
}

fn checkpoints(world: &World, text: &str) -> usize {
    let genuine = str::from_utf8(&world.genuine["checkpoint"]).unwrap();
    let body = |text: &str| text.split("\n\n").next().map(str::to_owned);
    let genuine_body = body(genuine);
    let mut taken = 0;
    let signed = SignedCheckpoint::parse(genuine).unwrap();
    let lines = world.witness.key().confirmation(&signed, text);
    taken += usize::from(lines.is_some());
    if let Ok(more) = signed.with_cosignatures(text) {
        assert_eq!(more.checkpoint(), signed.checkpoint());
    }
    if let Ok(checkpoint) = SignedCheckpoint::parse(text) {
        assert_eq!(checkpoint.as_str(), text);
        let client = || {
            let witnesses = vec![world.witness.key().clone()];
            Client::new(world.signer.key().clone(), witnesses, 1).unwrap()
        };
        let resumed = client().resume(text).is_ok();
        let accepted = client().accept(text, &Proof::default(), NOW_S, 60);
        let accepted = accepted.is_ok();
        let log = world.signer.key().clone();
        let watched = world.new_witness().resume(log, text).is_ok();
        if resumed || accepted || watched {
            // Lines may be added by anybody; what they are below is signed.
            assert_eq!(body(text), genuine_body);
        }
        taken += 1;
    }
    if let Ok(request) = AddCheckpoint::parse(text) {
        let again = AddCheckpoint::parse(&request.to_body()).unwrap();
        assert_eq!(again, request);
        if world.new_witness().add_checkpoint(text, NOW_S).is_ok() {
            assert_eq!(body(request.checkpoint.as_str()), genuine_body);
        }
        taken += 1;
    }
    taken
}

fn words(world: &World, text: &str) -> usize {
    let root = search_root(world);
    for field in [IndexField::NAME_WORD, IndexField::EMAIL] {
        if let Ok(token) = root.token(field, text) {
            let spaced = format!(" {text}\n");
            assert_eq!(root.token(field, &spaced), Ok(token));
        }
    }
    drop(RequestFacts::new(text, text, b"", b""));
    drop(world.ana.keys.open_draft(text, &world.genuine["draft"]));
    // Digits that somebody types from the other device's screen.
    if (1..16).contains(&text.len()) && text.starts_with(|one: char| one.is_ascii_digit()) {
        for kind in [InvitationKind::Scanned, InvitationKind::Typed] {
            let talk = Conversation::new(kind);
            let [_, share, _, hello, _] = Conversation::new(kind).messages();
            let (revealed, _) = talk.old.receive_share(&share).unwrap();
            drop(revealed.receive_hello(&hello).unwrap().confirm(text));
        }
    }
    0
}
