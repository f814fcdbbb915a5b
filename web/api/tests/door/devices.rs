//! A person's devices, and the ways back in.

use crypto::provisioning::InvitationKind;
use crypto::vault::{AuthSecret, BackupCode};
use crypto::{OsEntropy, UserId};
use crypto_session::{NewPairing, OldPairing, Session, Unlocking, VaultShares};
use protocol::{
    BackupCodeUse, BackupCodes, Blob, Devices, EscrowAnswer, EscrowRequest, Id, ItemsKeyAdded,
    ItemsKeys, PersonSigchain, RecoveryFacts, RoomEntry, RoomHeard, RoomMessage, RoomReading,
    ShareAnswer, ShareProposal, ShareRequest, SigchainUpdate,
};
use store::AuditKind;

use crate::client::{Client, Server, minutes, newcomer, now_ms, pass};

fn update(session: &Session) -> SigchainUpdate {
    SigchainUpdate {
        sigchain: Blob(session.sigchain().unwrap()),
        recovery_escrow: None,
        items_key: None,
    }
}

/// A second device of the same person, in the device list and logged in.
pub async fn second<'a>(server: &'a Server, first: &mut Client<'_>) -> Client<'a> {
    let mut new = Session::create(Some(first.session.user())).unwrap();
    first.session.adopt(&mut new, now_ms()).unwrap();
    let sent = update(&first.session);
    first.put("/me/sigchain", &sent).await.done();
    server.login(new).await
}

/// Takes a device off the list.
pub async fn revoke(by: &mut Client<'_>, device: crypto::DeviceId) {
    by.session.revoke_device(device, now_ms()).unwrap();
    by.session.rotate_key(now_ms()).unwrap();
    let sent = update(&by.session);
    by.put("/me/sigchain", &sent).await.done();
}

#[tokio::test]
async fn a_new_device_is_paired_through_the_server() {
    let server = Server::start().await;
    let mut old = server.admin().await;
    // It learns in the room whose device it becomes.
    let new = Session::create(None).unwrap();
    let mut new = NewPairing::invite(new, InvitationKind::Typed).unwrap();
    let room = Id(*new.room().as_bytes());
    let path = |what: &str| format!("/pairing/{room}{what}");
    let (old_pass, new_pass) = (Blob(vec![1; 16]), Blob(vec![2; 16]));
    let entry = |pass: &Blob| RoomEntry { pass: pass.clone() };
    server.post(&path(""), &entry(&new_pass)).await.done();
    let unsigned = server.post(&path("/join"), &entry(&old_pass)).await;
    assert_eq!(unsigned.refused(), (401, "login-needed".into()));
    old.post(&path("/join"), &entry(&old_pass)).await.done();

    let kind = InvitationKind::Typed;
    let (mut pairing, commit) = OldPairing::join(&mut old.session, kind, new.invitation()).unwrap();
    let say = async |pass: &Blob, message: Vec<u8>| {
        let (pass, message) = (pass.clone(), Blob(message));
        let said = RoomMessage { pass, message };
        server.post(&path("/messages"), &said).await.done();
    };
    let hear = async |pass: &Blob, place: u8| {
        let pass = pass.clone();
        let reading = RoomReading { pass, place };
        let heard: RoomHeard = server.post(&path("/heard"), &reading).await.json();
        heard.message.unwrap().0
    };
    say(&old_pass, commit).await;
    let reading = RoomReading {
        pass: new_pass.clone(),
        place: 0,
    };
    let heard: RoomHeard = server.post(&path("/heard"), &reading).await.json();
    let person = UserId::from_bytes(heard.person.unwrap().0);
    assert_eq!(person, old.session.user());
    new.name_person(person).unwrap();
    let share = new.receive(&hear(&new_pass, 0).await).unwrap();
    say(&new_pass, share).await;
    let reveal = pairing.receive_share(&hear(&old_pass, 1).await).unwrap();
    say(&old_pass, reveal).await;
    let hello = new.receive(&hear(&new_pass, 2).await).unwrap();
    say(&new_pass, hello).await;
    pairing.receive_hello(&hear(&old_pass, 3).await).unwrap();
    pairing.confirm(&new.digits().unwrap()).unwrap();
    let payload = pairing.admit(&mut old.session, None, now_ms()).unwrap();
    let sent = update(&old.session);
    old.put("/me/sigchain", &sent).await.done();
    say(&old_pass, payload).await;
    let paired = new.finish(&hear(&new_pass, 4).await).unwrap();

    let mut paired = server.login(paired).await;
    let mine: PersonSigchain = paired.get("/me/sigchain").await.json();
    paired
        .session
        .follow_sigchain(&mine.sigchain.0, None)
        .unwrap();
    assert_eq!(server.noted(AuditKind::DeviceAdded).await, 1);
    let stranger = RoomReading {
        pass: Blob(vec![3; 16]),
        place: 0,
    };
    let refused = server.post(&path("/heard"), &stranger).await;
    assert_eq!(refused.refused(), (403, "not-allowed".into()));
}

#[tokio::test]
async fn a_room_is_for_two_and_ends_after_five_minutes() {
    let server = Server::start().await;
    let mut old = server.admin().await;
    let entry = |pass: u8| RoomEntry {
        pass: Blob(vec![pass; 16]),
    };
    let said = |pass: u8| RoomMessage {
        pass: Blob(vec![pass; 16]),
        message: Blob(b"commit".to_vec()),
    };
    let path = |room: u8, what: &str| format!("/pairing/{}{what}", Id([room; 16]));
    server.post(&path(1, ""), &entry(1)).await.done();
    let taken = server.post(&path(1, ""), &entry(9)).await;
    assert_eq!(taken.refused(), (409, "conflict".into()));
    old.post(&path(1, "/join"), &entry(2)).await.done();
    let third = old.post(&path(1, "/join"), &entry(3)).await;
    assert_eq!(third.refused(), (409, "conflict".into()));

    server.post(&path(2, ""), &entry(1)).await.done();
    pass(minutes(5) - std::time::Duration::from_secs(5));
    server.post(&path(1, "/messages"), &said(2)).await.done();
    pass(std::time::Duration::from_secs(5));
    let late = server.post(&path(1, "/messages"), &said(2)).await;
    assert_eq!(late.refused(), (410, "spent".into()));
    let late = old.post(&path(2, "/join"), &entry(2)).await;
    assert_eq!(late.refused(), (410, "spent".into()));
}

#[tokio::test]
async fn a_revoked_device_is_out_at_once() {
    let server = Server::start().await;
    let mut first = server.admin().await;
    let mut lost = second(&server, &mut first).await;
    assert_eq!(lost.get("/me").await.status, 200);
    revoke(&mut first, lost.session.device()).await;

    let out = lost.get("/me").await;
    assert_eq!(out.refused(), (401, "token-expired".into()));
    let token = lost.tokens.refresh.clone();
    assert_eq!(lost.refresh_with(&token).await.status, 401);
    let proof = server.proof_of(&lost.session).await;
    let refused = server.post("/login", &proof).await;
    assert_eq!(refused.refused(), (401, "bad-proof".into()));
    assert_eq!(first.get("/me").await.status, 200);
    assert_eq!(server.noted(AuditKind::DeviceRevoked).await, 1);
    assert_eq!(server.noted(AuditKind::UserKeyRotated).await, 1);
}

#[tokio::test]
async fn what_the_server_keeps_for_a_device_goes_with_it() {
    let server = Server::start().await;
    let mut first = server.admin().await;
    let mut lost = second(&server, &mut first).await;
    let path = format!("/vaults/{}/share", Id([5; 16]));
    let auth = Blob(vec![1; 32]);
    let proposal = ShareProposal {
        share: Blob(vec![2; 32]),
        auth: auth.clone(),
    };
    lost.put(&path, &proposal).await.done();
    let id = Id(*lost.session.device().as_bytes());
    let listed: Devices = first.get("/me/devices").await.json();
    let with_vault = listed.devices.iter().filter(|device| device.has_vault);
    assert_eq!(with_vault.map(|d| d.device).collect::<Vec<_>>(), [id]);
    let tried = ShareRequest { auth };
    let given = server.post(&path, &tried).await.json();
    assert!(matches!(given, ShareAnswer::Given { .. }));

    revoke(&mut first, lost.session.device()).await;
    // The right code gets nothing any more: whoever has the device cannot even try one.
    let gone = server.post(&path, &tried).await;
    assert_eq!(gone.refused(), (404, "not-found".into()));
    let left: Devices = first.get("/me/devices").await.json();
    assert_eq!(left.devices.len(), listed.devices.len() - 1);
    assert!(left.devices.iter().all(|device| device.device != id));
}

#[tokio::test]
async fn a_device_list_is_continued_and_never_rewritten() {
    let server = Server::start().await;
    let mut first = server.admin().await;
    let old = update(&first.session);
    let mut other = second(&server, &mut first).await;
    let behind = first.put("/me/sigchain", &old).await;
    assert_eq!(behind.refused(), (409, "conflict".into()));

    // Both devices rotate at once: the second to arrive must load the first's link.
    let mine: PersonSigchain = other.get("/me/sigchain").await.json();
    other
        .session
        .follow_sigchain(&mine.sigchain.0, None)
        .unwrap();
    first.session.rotate_key(now_ms()).unwrap();
    other.session.rotate_key(now_ms()).unwrap();
    let sent = update(&first.session);
    first.put("/me/sigchain", &sent).await.done();
    let sent = update(&other.session);
    let fork = other.put("/me/sigchain", &sent).await;
    assert_eq!(fork.refused(), (409, "conflict".into()));

    let foreign = first.put("/me/sigchain", &update(&newcomer())).await;
    assert_eq!(foreign.refused(), (400, "not-verified".into()));
    let garbage = SigchainUpdate {
        sigchain: Blob(vec![1, 2, 3]),
        recovery_escrow: None,
        items_key: None,
    };
    let garbage = first.put("/me/sigchain", &garbage).await;
    assert_eq!(garbage.refused(), (400, "not-verified".into()));
}

#[tokio::test]
async fn a_vault_opens_with_the_servers_share_while_nobody_is_logged_in() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let code = "correct horse battery";
    let shares = VaultShares {
        server: true,
        ..VaultShares::default()
    };
    let sealed = admin.session.seal_vault(code, shares).unwrap();
    let part = sealed.server.unwrap();
    let vault = crypto::vault::Vault::decode(&sealed.vault).unwrap();
    let path = format!("/vaults/{}/share", Id(*vault.id().as_bytes()));
    let proposal = ShareProposal {
        share: Blob::from(part.share()),
        auth: Blob::from(part.proof()),
    };
    admin.put(&path, &proposal).await.done();
    let (user, device) = (admin.session.user(), admin.session.device());
    admin.logout().await.done();

    let unlocking = Unlocking::begin(&sealed.vault, code, None, None).unwrap();
    let auth = Blob(unlocking.server_proof().to_vec());
    let answer = server.post(&path, &ShareRequest { auth }).await;
    let ShareAnswer::Given { share } = answer.json() else {
        panic!("{:?}", answer.body)
    };
    let session = unlocking.finish(Some(&share.0), user, device).unwrap();
    assert_eq!(server.login(session).await.get("/me").await.status, 200);
}

#[tokio::test]
async fn ten_wrong_codes_destroy_the_servers_share() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let path = format!("/vaults/{}/share", Id([5; 16]));
    let right = Blob(vec![1; 32]);
    let proposal = ShareProposal {
        share: Blob(vec![2; 32]),
        auth: right.clone(),
    };
    admin.put(&path, &proposal).await.done();
    let ask = async |auth: &Blob| -> ShareAnswer {
        let auth = auth.clone();
        server.post(&path, &ShareRequest { auth }).await.json()
    };
    let wrong = Blob(vec![9; 32]);
    for left in (1..10).rev() {
        assert_eq!(ask(&wrong).await, ShareAnswer::Wrong { left });
        if left == 5 {
            // Too early is not counted, and the right code does not help either.
            assert!(matches!(ask(&right).await, ShareAnswer::Wait { .. }));
        }
        pass(std::time::Duration::from_secs(24 * 3600));
    }
    assert_eq!(ask(&wrong).await, ShareAnswer::Destroyed);
    assert_eq!(ask(&right).await, ShareAnswer::Destroyed);
    assert_eq!(server.noted(AuditKind::VaultShareDestroyed).await, 1);
    let unknown = format!("/vaults/{}/share", Id([6; 16]));
    let unknown = server.post(&unknown, &ShareRequest { auth: right }).await;
    assert_eq!(unknown.refused(), (404, "not-found".into()));
}

#[tokio::test]
async fn nobody_replaces_the_share_of_another() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let path = format!("/vaults/{}/share", Id([5; 16]));
    let mut proposal = ShareProposal {
        share: Blob(vec![2; 32]),
        auth: Blob(vec![1; 32]),
    };
    admin.put(&path, &proposal).await.done();
    proposal.auth = Blob(vec![3; 32]);
    let refused = other.put(&path, &proposal).await;
    assert_eq!(refused.refused(), (404, "not-found".into()));
    proposal.share = Blob(vec![2; 31]);
    let short = admin.put(&path, &proposal).await;
    assert_eq!(short.refused(), (400, "malformed".into()));

    proposal.share = Blob(vec![2; 32]);
    for _ in 0..19 {
        admin.put(&path, &proposal).await.done();
    }
    let enough = admin.put(&path, &proposal).await;
    assert_eq!(enough.refused(), (429, "too-many".into()));
}

#[tokio::test]
async fn who_lost_every_device_comes_back_with_the_paper() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let sheet = admin.session.make_recovery_key(now_ms()).unwrap();
    let mut with_escrow = update(&admin.session);
    with_escrow.recovery_escrow = Some(Blob(sheet.escrow.clone()));
    // The second time, as by somebody who has not heard of the first: nothing changes.
    for _ in 0..2 {
        admin.put("/me/sigchain", &with_escrow).await.done();
    }
    let facts: RecoveryFacts = admin.get("/me/recovery").await.json();
    assert!(facts.recovery_key);
    assert_eq!(server.noted(AuditKind::RecoveryReplaced).await, 1);

    let user = admin.user();
    let escrow = server
        .post("/recovery/escrow", &EscrowRequest { user })
        .await;
    let escrow: EscrowAnswer = escrow.json();
    let paper = Session::recover(admin.session.user(), &escrow.escrow.0, sheet.reveal());
    assert_eq!(server.noted(AuditKind::AccountRecovered).await, 0);
    let mut paper = server.login(paper.unwrap()).await;
    assert_eq!(server.noted(AuditKind::AccountRecovered).await, 1);
    let listed: Devices = admin.get("/me/devices").await.json();
    let known: Vec<_> = listed
        .devices
        .iter()
        .filter(|one| one.is_recovery)
        .collect();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].device.0, *paper.session.device().as_bytes());
    let mine: PersonSigchain = paper.get("/me/sigchain").await.json();
    paper
        .session
        .follow_sigchain(&mine.sigchain.0, None)
        .unwrap();
    let mut new = second(&server, &mut paper).await;
    assert_eq!(new.get("/me").await.status, 200);
    assert_eq!(server.noted(AuditKind::AccountRecovered).await, 1);

    let user = Id([1; 16]);
    let nobody = server
        .post("/recovery/escrow", &EscrowRequest { user })
        .await;
    assert_eq!(nobody.refused(), (404, "not-found".into()));
}

#[tokio::test]
async fn the_paper_that_somebody_came_in_with_is_known_too() {
    let server = Server::start().await;
    let code = server.shared.bootstrap_code().await.unwrap().unwrap();
    let mut session = Session::create(None).unwrap();
    session.begin_sigchain(now_ms()).unwrap();
    let sheet = session.make_recovery_key(now_ms()).unwrap();
    let mut request = server.bootstrap_of(&session, &code);
    request.recovery_escrow = Blob(sheet.escrow.clone());
    assert_eq!(server.post("/bootstrap", &request).await.status, 200);
    let paper = Session::recover(session.user(), &sheet.escrow, sheet.reveal());
    server.login(session).await;
    assert_eq!(server.noted(AuditKind::AccountRecovered).await, 0);
    server.login(paper.unwrap()).await;
    assert_eq!(server.noted(AuditKind::AccountRecovered).await, 1);
}

#[tokio::test]
async fn a_backup_code_is_good_once() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let user = admin.session.user();
    let codes = BackupCode::generate_set(&mut OsEntropy).unwrap();
    let kept = codes.iter().map(|code| {
        let entry = code.entry(user, b"secret", &mut OsEntropy).unwrap();
        protocol::BackupCode {
            verifier: Blob(entry.verifier.as_bytes().to_vec()),
            escrow: Blob(entry.escrow.encode()),
        }
    });
    let codes_kept = BackupCodes {
        codes: kept.collect(),
    };
    admin.put("/me/backup-codes", &codes_kept).await.done();
    let shown = |code: &BackupCode| BackupCodeUse {
        user: Id(*user.as_bytes()),
        auth: Blob(code.auth(user).reveal().to_vec()),
    };
    let escrow = server
        .post("/recovery/backup-code", &shown(&codes[3]))
        .await;
    let escrow: EscrowAnswer = escrow.json();
    let escrow = crypto::vault::Escrow::decode(&escrow.escrow.0).unwrap();
    assert_eq!(*escrow.open(user, &codes[3]).unwrap(), *b"secret");
    let again = server
        .post("/recovery/backup-code", &shown(&codes[3]))
        .await;
    assert_eq!(again.refused(), (410, "spent".into()));
    let facts: RecoveryFacts = admin.get("/me/recovery").await.json();
    assert_eq!(facts.backup_codes, 7);
    let mut guessed = shown(&codes[0]);
    guessed.auth = Blob(AuthSecret::from_bytes(&[0; 32]).reveal().to_vec());
    let guessed = server.post("/recovery/backup-code", &guessed).await;
    assert_eq!(guessed.refused(), (410, "spent".into()));
    assert_eq!(server.noted(AuditKind::AccountRecovered).await, 1);
}

#[tokio::test]
async fn items_keys_are_kept_for_the_persons_other_devices() {
    let server = Server::start().await;
    let mut first = server.admin().await;
    let key = Blob(first.session.sealed_items_key().unwrap());
    let added = ItemsKeyAdded { key: key.clone() };
    first.put("/me/items-keys", &added).await.done();
    let mut other = second(&server, &mut first).await;
    let keys: ItemsKeys = other.get("/me/items-keys").await.json();
    assert_eq!(keys.keys, [key]);
    other.session.open_items_key(&keys.keys[0].0).unwrap();

    let again = Blob(first.session.sealed_items_key().unwrap());
    let another = first
        .put("/me/items-keys", &ItemsKeyAdded { key: again })
        .await;
    assert_eq!(another.refused(), (409, "conflict".into()));
    first.session.rotate_key(now_ms()).unwrap();
    let early = Blob(first.session.sealed_items_key().unwrap());
    let early = first
        .put("/me/items-keys", &ItemsKeyAdded { key: early })
        .await;
    assert_eq!(early.refused(), (400, "not-verified".into()));
}
