//! Sessions, from the login to their end.

use std::time::Instant;

use crypto::OsEntropy;
use crypto::identity::LoginChallenge;
use crypto_session::Session;
use protocol::{Blob, ChallengeAnswer, ChallengeRequest, Id, LoginRequest, Me, Sessions};
use store::{AuditKind, Changes, UserId, UserRow, UserStatus, VaultChange};

use crate::client::{ORIGIN, Server, minutes, newcomer, now, now_ms, pass};

const BAD_PROOF: &str = "bad-proof";

#[tokio::test]
async fn a_device_logs_in_without_a_password() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let me: Me = admin.get("/me").await.json();
    assert_eq!((me.user, me.session), (admin.user(), admin.tokens.session));
    let told = (admin.tokens.idle_after_s, admin.tokens.unlocked_at_most_s);
    assert_eq!(told, (60 * 60, 2 * 60 * 60));
    assert!(me.super_admin && me.hubs.is_empty());
    assert_eq!(me.profile, Blob(b"sealed".to_vec()));
    assert_eq!(server.noted(AuditKind::KeyLogin).await, 1);
}

#[tokio::test]
async fn a_token_is_worth_nothing_without_its_device() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let token = admin.tokens.access.clone();
    let bearer = ("authorization", format!("Bearer {}", token.to_text()));
    let unsigned = server.ask(
        "GET",
        "/api/v1/me",
        std::slice::from_ref(&bearer),
        Vec::new(),
    );
    assert_eq!(unsigned.await.refused(), (401, BAD_PROOF.into()));

    let mut thief = Session::create(Some(admin.session.user())).unwrap();
    let forged = thief.prove_request("GET", "/api/v1/me", &[], &token.0, now_ms());
    let forged = (protocol::PROOF_HEADER, Blob(forged.unwrap()).to_text());
    let stolen = server
        .ask("GET", "/api/v1/me", &[bearer, forged], Vec::new())
        .await;
    assert_eq!(stolen.refused(), (401, BAD_PROOF.into()));

    let signed = admin.sign("GET", "/me", &[], &token);
    let first = server.ask("GET", "/api/v1/me", &signed, Vec::new()).await;
    assert_eq!(first.status, 200);
    let replayed = server.ask("GET", "/api/v1/me", &signed, Vec::new()).await;
    assert_eq!(replayed.refused(), (401, BAD_PROOF.into()));

    let signed = admin.sign("GET", "/me", &[], &token);
    let elsewhere = server
        .ask("GET", "/api/v1/me/sessions", &signed, Vec::new())
        .await;
    assert_eq!(elsewhere.refused(), (401, BAD_PROOF.into()));

    let signed = admin.sign("GET", "/me", &[], &token);
    pass(minutes(2));
    let late = server.ask("GET", "/api/v1/me", &signed, Vec::new()).await;
    assert_eq!(late.refused(), (401, BAD_PROOF.into()));
}

#[tokio::test]
async fn whether_a_device_is_known_is_nobodys_business() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let unknown = newcomer();
    let of_unknown = server.proof_of(&unknown).await;
    let of_unknown = server.post("/login", &of_unknown).await;

    // The right device, with a signature that is not its own.
    let mut wrong = server.proof_of(&admin.session).await;
    *wrong.proof.0.last_mut().unwrap() ^= 1;
    let of_wrong = server.post("/login", &wrong).await;
    assert_eq!(of_unknown.refused(), (401, BAD_PROOF.into()));
    assert_eq!(of_unknown.body, of_wrong.body);
    assert_eq!(server.noted(AuditKind::LoginFailed).await, 2);
}

#[tokio::test]
async fn a_challenge_is_good_once_and_for_a_minute() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let proof = server.proof_of(&admin.session).await;
    assert_eq!(server.post("/login", &proof).await.status, 200);
    let again = server.post("/login", &proof).await;
    assert_eq!(again.refused(), (401, BAD_PROOF.into()));
    let proof = server.proof_of(&admin.session).await;
    pass(minutes(1));
    let late = server.post("/login", &proof).await;
    assert_eq!(late.refused(), (401, BAD_PROOF.into()));
}

#[tokio::test]
async fn failures_fill_neither_the_trail_nor_lock_the_owner_out() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut wrong = server.proof_of(&admin.session).await;
    *wrong.proof.0.last_mut().unwrap() ^= 1;
    let began = Instant::now();
    for _ in 0..25 {
        let refused = server.post("/login", &wrong).await;
        assert_eq!(refused.refused(), (401, BAD_PROOF.into()));
    }
    // Ten at once, and one more every six seconds.
    let most = 10 + began.elapsed().as_secs() / 6;
    let noted = server.noted(AuditKind::LoginFailed).await as u64;
    assert!((10..=most + 1).contains(&noted), "{noted}");
    let proof = server.proof_of(&admin.session).await;
    assert_eq!(server.post("/login", &proof).await.status, 200);
}

#[tokio::test]
async fn strangers_are_slowed_down() {
    let server = Server::start().await;
    let unknown = newcomer();
    let began = Instant::now();
    let mut taken = 0;
    let refused = loop {
        let device = protocol::Id(*unknown.device().as_bytes());
        let request = protocol::ChallengeRequest { device };
        let answer = server.post("/login/challenge", &request).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
    };
    // Two more are allowed each second.
    let allowed = 120..=120 + 2 * (began.elapsed().as_secs() + 1);
    assert!(allowed.contains(&taken), "{taken}");
    assert_eq!(refused.refused(), (429, "too-many".into()));
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn one_person_does_not_ask_without_end() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let began = Instant::now();
    let mut taken = 0;
    let refused = loop {
        let answer = admin.get("/me").await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
    };
    // Three hundred at once, and thirty more each second.
    let most = 300 + 30 * (began.elapsed().as_secs() + 1);
    assert!((300..=most).contains(&taken), "{taken}");
    assert_eq!(refused.refused(), (429, "too-many".into()));
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn tokens_are_renewed_and_a_used_one_ends_the_session() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    pass(minutes(15));
    let expired = admin.get("/me").await;
    assert_eq!(expired.refused(), (401, "token-expired".into()));
    let first = admin.tokens.clone();
    admin.refresh().await;
    assert_eq!(admin.tokens.session, first.session);
    assert_ne!(admin.tokens.refresh, first.refresh);
    assert_eq!(admin.get("/me").await.status, 200);

    let reused = admin.refresh_with(&first.refresh).await;
    assert_eq!(reused.refused(), (410, "spent".into()));
    assert_eq!(server.noted(AuditKind::TokenReused).await, 1);
    let ended = admin.get("/me").await;
    assert_eq!(ended.refused(), (401, "token-expired".into()));
    let token = admin.tokens.refresh.clone();
    let ended = admin.refresh_with(&token).await;
    assert_eq!(ended.refused(), (401, "login-needed".into()));
}

#[tokio::test]
async fn a_stolen_refresh_token_neither_works_nor_ends_the_session() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let spent = admin.tokens.refresh.clone();
    admin.refresh().await;
    for stolen in [spent, admin.tokens.refresh.clone()] {
        let mut thief = Session::create(Some(admin.session.user())).unwrap();
        let path = "/api/v1/session/refresh";
        let proof = thief.prove_request("POST", path, &[], &stolen.0, now_ms());
        let headers = [
            ("authorization", format!("Bearer {}", stolen.to_text())),
            (protocol::PROOF_HEADER, Blob(proof.unwrap()).to_text()),
        ];
        let refused = server.ask("POST", path, &headers, Vec::new()).await;
        assert_eq!(refused.refused(), (401, BAD_PROOF.into()));
    }
    assert_eq!(admin.get("/me").await.status, 200);
}

#[tokio::test]
async fn who_stays_away_for_too_long_is_logged_out() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    for _ in 0..3 {
        pass(minutes(50));
        admin.refresh().await;
    }
    pass(minutes(61));
    let token = admin.tokens.refresh.clone();
    let idle = admin.refresh_with(&token).await;
    assert_eq!(idle.refused(), (401, "idle".into()));
    let over = admin.refresh_with(&token).await;
    assert_eq!(over.refused(), (401, "login-needed".into()));
    let session = admin.session;
    assert_eq!(server.login(session).await.get("/me").await.status, 200);
}

#[tokio::test]
async fn a_person_sees_and_ends_their_sessions() {
    let server = Server::start().await;
    let mut one = server.admin().await;
    let proof = server.proof_of(&one.session).await;
    let tokens: protocol::Tokens = server.post("/login", &proof).await.json();
    let first = std::mem::replace(&mut one.tokens, tokens);
    let list: Sessions = one.get("/me/sessions").await.json();
    assert_eq!(list.sessions.len(), 2);
    let current: Vec<_> = list.sessions.iter().filter(|facts| facts.current).collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0].session, one.tokens.session);

    one.delete("/me/sessions").await.done();
    let second = std::mem::replace(&mut one.tokens, first.clone());
    let ended = one.get("/me").await;
    assert_eq!(ended.refused(), (401, "token-expired".into()));
    one.tokens = second;
    let gone = one.delete(&format!("/me/sessions/{}", first.session)).await;
    assert_eq!(gone.refused(), (404, "not-found".into()));
    one.logout().await.done();
    let out = one.get("/me").await;
    assert_eq!(out.refused(), (401, "token-expired".into()));
    assert_eq!(server.noted(AuditKind::Logout).await, 2);
}

#[tokio::test]
async fn a_session_that_was_left_alone_is_not_listed() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    pass(minutes(59));
    let proof = server.proof_of(&admin.session).await;
    admin.tokens = server.post("/login", &proof).await.json();
    let list: Sessions = admin.get("/me/sessions").await.json();
    assert_eq!(list.sessions.len(), 2);
    pass(minutes(2));
    let list: Sessions = admin.get("/me/sessions").await.json();
    assert_eq!(list.sessions.len(), 1);
    assert!(list.sessions[0].current);
}

#[tokio::test]
async fn nobody_ends_the_session_of_another() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let path = format!("/me/sessions/{}", admin.tokens.session);
    let refused = other.delete(&path).await;
    assert_eq!(refused.refused(), (404, "not-found".into()));
    assert_eq!(admin.get("/me").await.status, 200);
}

#[tokio::test]
async fn who_was_deactivated_is_out_at_once() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let user = UserId(admin.user().0);
    let mut changes = Changes::new();
    // There is always somebody who runs the installation.
    changes.push(VaultChange::UserAdded(UserRow {
        id: UserId([1; 16]),
        profile: None,
        status: UserStatus::Active,
        super_admin: true,
        created_at: now(),
    }));
    let active = false;
    changes.push(VaultChange::ActiveChanged { user, active });
    server.store.commit(changes).await.unwrap();
    let out = admin.get("/me").await;
    assert_eq!(out.refused(), (401, "token-expired".into()));
    let token = admin.tokens.refresh.clone();
    assert_eq!(admin.refresh_with(&token).await.status, 401);
    let proof = server.proof_of(&admin.session).await;
    let refused = server.post("/login", &proof).await;
    assert_eq!(refused.refused(), (401, BAD_PROOF.into()));
}

#[tokio::test]
async fn only_what_this_server_asks_lets_in() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = admin.session.device();
    let until_ms = now_ms() + 60_000;
    let own = LoginChallenge::new(ORIGIN, device, until_ms, &mut OsEntropy).unwrap();
    let asked = ChallengeRequest {
        device: Id(*device.as_bytes()),
    };
    let asked: ChallengeAnswer = server.post("/login/challenge", &asked).await.json();
    // What could be kept for later: the last byte of when it ends, before the device.
    let mut longer = asked.challenge.0.clone();
    let at = longer.len() - 17;
    longer[at] ^= 1;
    for challenge in [own.encode(), longer] {
        let proof = admin.session.answer_login(&challenge, ORIGIN, now_ms());
        let proof = Blob(proof.unwrap());
        let refused = server.post("/login", &LoginRequest { proof }).await;
        assert_eq!(refused.refused(), (401, BAD_PROOF.into()));
    }
    let proof = admin
        .session
        .answer_login(&asked.challenge.0, ORIGIN, now_ms());
    let proof = Blob(proof.unwrap());
    let answer = server.post("/login", &LoginRequest { proof }).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_was_signed_for_another_server_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (elsewhere, device) = ("https://hot1ine.example", admin.session.device());
    let until_ms = now_ms() + 60_000;
    let challenge = LoginChallenge::new(elsewhere, device, until_ms, &mut OsEntropy).unwrap();
    let proof = admin
        .session
        .answer_login(&challenge.encode(), elsewhere, now_ms());
    let proof = Blob(proof.unwrap());
    let refused = server.post("/login", &LoginRequest { proof }).await;
    assert_eq!(refused.refused(), (401, BAD_PROOF.into()));
}
