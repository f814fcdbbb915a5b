//! Passkeys: made, used, removed. The key is in software, by the people who wrote the verifier's
//! library; what it signs is what a browser would send.

use protocol::{
    Blob, LoginRequest, PasskeyAttempt, PasskeyLogin, PasskeyName, PasskeyRegistration, Passkeys,
    ServerFacts, Tokens,
};
use serde_json::{from_str, to_string};
use store::AuditKind;
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_rs::prelude::Url;

use crate::client::{Answer, Client, ORIGIN, Server, minutes, pass};

type Key = SoftPasskey;

fn key() -> Key {
    // It says that it has verified its user, as a fingerprint reader would.
    SoftPasskey::new(true)
}

fn origin() -> Url {
    Url::parse(ORIGIN).unwrap()
}

async fn ask_to_begin(client: &mut Client<'_>) -> Answer {
    let token = client.tokens.access.clone();
    let headers = client.sign("POST", "/me/passkeys/begin", &[], &token);
    let path = "/api/v1/me/passkeys/begin";
    client.server.ask("POST", path, &headers, Vec::new()).await
}

async fn begin(client: &mut Client<'_>) -> PasskeyAttempt {
    ask_to_begin(client).await.json()
}

fn made(key: &mut Key, attempt: &PasskeyAttempt) -> PasskeyRegistration {
    let options = from_str(&attempt.options).unwrap();
    let credential = key.do_registration(origin(), options).unwrap();
    PasskeyRegistration {
        attempt: attempt.attempt,
        credential: to_string(&credential).unwrap(),
        name: Blob(b"sealed".to_vec()),
        of_device: false,
    }
}

async fn register(client: &mut Client<'_>, key: &mut Key) {
    let attempt = begin(client).await;
    client
        .post("/me/passkeys", &made(key, &attempt))
        .await
        .done();
}

async fn begin_login(client: &Client<'_>) -> Answer {
    let proof = client.server.proof_of(&client.session).await;
    client.server.post("/login/passkey/begin", &proof).await
}

fn signed(key: &mut Key, attempt: &PasskeyAttempt) -> PasskeyLogin {
    let options = from_str(&attempt.options).unwrap();
    let credential = key.do_authentication(origin(), options).unwrap();
    PasskeyLogin {
        attempt: attempt.attempt,
        credential: to_string(&credential).unwrap(),
    }
}

#[tokio::test]
async fn a_person_logs_in_with_a_passkey_and_their_device() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut key = key();
    register(&mut admin, &mut key).await;
    admin.logout().await.done();
    for _ in 0..2 {
        let attempt: PasskeyAttempt = begin_login(&admin).await.json();
        let login = signed(&mut key, &attempt);
        let tokens: Tokens = server.post("/login/passkey", &login).await.json();
        admin.tokens = tokens;
        assert_eq!(admin.get("/me").await.status, 200);
        let again = server.post("/login/passkey", &login).await;
        assert_eq!(again.refused(), (410, "spent".into()));
    }
    assert_eq!(server.noted(AuditKind::WebauthnRegistered).await, 1);
    assert_eq!(server.noted(AuditKind::WebauthnLogin).await, 2);
}

#[tokio::test]
async fn only_the_device_hears_which_passkeys_there_are() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    assert_eq!(
        begin_login(&admin).await.refused(),
        (404, "not-found".into())
    );
    register(&mut admin, &mut key()).await;
    let mut wrong: LoginRequest = server.proof_of(&admin.session).await;
    *wrong.proof.0.last_mut().unwrap() ^= 1;
    let refused = server.post("/login/passkey/begin", &wrong).await;
    assert_eq!(refused.refused(), (401, "bad-proof".into()));
}

#[tokio::test]
async fn what_another_passkey_signs_lets_nobody_in() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let (mut of_admin, mut of_other) = (key(), key());
    register(&mut admin, &mut of_admin).await;
    register(&mut other, &mut of_other).await;
    let attempt: PasskeyAttempt = begin_login(&admin).await.json();
    let theirs: PasskeyAttempt = begin_login(&other).await.json();
    let mut login = signed(&mut of_other, &theirs);
    login.attempt = attempt.attempt;
    let refused = server.post("/login/passkey", &login).await;
    assert_eq!(refused.refused(), (401, "bad-proof".into()));
    assert_eq!(server.noted(AuditKind::LoginFailed).await, 1);

    let late: PasskeyAttempt = begin_login(&admin).await.json();
    let late = signed(&mut of_admin, &late);
    pass(minutes(5));
    let late = server.post("/login/passkey", &late).await;
    assert_eq!(late.refused(), (410, "spent".into()));
}

#[tokio::test]
async fn a_person_manages_their_own_passkeys() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    register(&mut admin, &mut key()).await;
    let attempt = begin(&mut admin).await;
    let stolen = other
        .post("/me/passkeys", &made(&mut key(), &attempt))
        .await;
    assert_eq!(stolen.refused(), (410, "spent".into()));

    let list: Passkeys = admin.get("/me/passkeys").await.json();
    assert_eq!(list.passkeys.len(), 1);
    let path = format!("/me/passkeys/{}", list.passkeys[0].credential.to_text());
    let name = PasskeyName {
        name: Blob(b"other".to_vec()),
    };
    assert_eq!(other.put(&path, &name).await.status, 404);
    assert_eq!(other.delete(&path).await.status, 404);
    admin.put(&path, &name).await.done();
    let list: Passkeys = admin.get("/me/passkeys").await.json();
    assert_eq!(list.passkeys[0].name, name.name);
    admin.delete(&path).await.done();
    let list: Passkeys = admin.get("/me/passkeys").await.json();
    assert!(list.passkeys.is_empty());
    assert_eq!(server.noted(AuditKind::WebauthnDeleted).await, 1);
}

/// What anybody is told of the server before a login.
async fn are_offered(server: &Server) -> bool {
    let facts = server.ask("GET", "/api/v1/server", &[], Vec::new()).await;
    facts.json::<ServerFacts>().passkeys
}

#[track_caller]
fn is_turned_off(answer: &Answer) {
    assert_eq!(answer.refused(), (403, "not-allowed".into()));
    let sentence = String::from_utf8_lossy(&answer.body);
    assert!(sentence.contains("passkeys are turned off at this hotline"));
}

#[tokio::test]
async fn where_they_are_turned_off_nobody_makes_one_or_logs_in_with_one() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    assert!(are_offered(&server).await);
    let mut key = key();
    register(&mut admin, &mut key).await;
    let being_made = begin(&mut admin).await;
    let being_made = made(&mut self::key(), &being_made);
    let login: PasskeyAttempt = begin_login(&admin).await.json();
    let login = signed(&mut key, &login);

    server.shared.allow_passkeys(false);
    assert!(!are_offered(&server).await);
    is_turned_off(&ask_to_begin(&mut admin).await);
    is_turned_off(&begin_login(&admin).await);
    // Nor what was begun before.
    is_turned_off(&admin.post("/me/passkeys", &being_made).await);
    is_turned_off(&server.post("/login/passkey", &login).await);
    assert_eq!(server.noted(AuditKind::WebauthnRegistered).await, 1);
    assert_eq!(server.noted(AuditKind::WebauthnLogin).await, 0);
    assert_eq!(server.noted(AuditKind::LoginFailed).await, 0);
    let proof = server.proof_of(&admin.session).await;
    admin.tokens = server.post("/login", &proof).await.json();
}

#[tokio::test]
async fn those_made_before_are_removed_while_off_or_work_when_on_again() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut kept = key();
    register(&mut admin, &mut kept).await;
    register(&mut admin, &mut key()).await;
    server.shared.allow_passkeys(false);
    let list: Passkeys = admin.get("/me/passkeys").await.json();
    assert_eq!(list.passkeys.len(), 2);
    let surplus = list.passkeys[1].credential.to_text();
    let path = format!("/me/passkeys/{surplus}");
    admin.delete(&path).await.done();
    assert_eq!(server.noted(AuditKind::WebauthnDeleted).await, 1);

    server.shared.allow_passkeys(true);
    let attempt: PasskeyAttempt = begin_login(&admin).await.json();
    let login = signed(&mut kept, &attempt);
    admin.tokens = server.post("/login/passkey", &login).await.json();
    let list: Passkeys = admin.get("/me/passkeys").await.json();
    assert_eq!(list.passkeys.len(), 1);
    register(&mut admin, &mut key()).await;
}
