//! What a process before this one took is not taken again.

use std::time::Duration;

use protocol::{API_ROOT, Blob, Tokens};

use crate::client::{Client, Server, now_ms};

/// How far a device's clock may be ahead.
const AHEAD_MS: u64 = 55_000;

type Headers = [(&'static str, String); 2];

/// As by a device whose clock is `ahead_ms` ahead.
fn signed(
    client: &mut Client<'_>,
    method: &str,
    path: &str,
    token: &Blob,
    ahead_ms: u64,
) -> Headers {
    let target = format!("{API_ROOT}{path}");
    let at = now_ms() + ahead_ms;
    let proof = client
        .session
        .prove_request(method, &target, &[], &token.0, at)
        .unwrap();
    [
        ("authorization", format!("Bearer {}", token.to_text())),
        (protocol::PROOF_HEADER, Blob(proof).to_text()),
    ]
}

#[tokio::test]
async fn a_request_is_not_replayed_across_a_restart() {
    let before = Server::start().await;
    let mut admin = before.admin().await;
    let path = format!("{API_ROOT}/session/view-key");
    let body = format!(r#"{{"key":"{}"}}"#, Blob(vec![0; 32]).to_text()).into_bytes();
    let token = admin.tokens.access.clone();
    let mut taken = Vec::new();
    for ahead_ms in [0, 1_000, AHEAD_MS] {
        let asked = signed(&mut admin, "GET", "/me", &token, ahead_ms);
        let first = before.ask("GET", "/api/v1/me", &asked, Vec::new()).await;
        assert_eq!(first.status, 200);
        taken.push(asked);
    }
    let put = admin.sign("PUT", "/session/view-key", &body, &token);
    assert_ne!(
        before.ask("PUT", &path, &put, body.clone()).await.status,
        401
    );

    let after = before.start_again().await;
    for asked in &taken {
        let replayed = after.ask("GET", "/api/v1/me", asked, Vec::new()).await;
        assert_eq!(replayed.refused(), (401, "token-expired".into()));
    }
    let replayed = after.ask("PUT", &path, &put, body.clone()).await;
    assert_eq!(replayed.refused(), (401, "token-expired".into()));

    // The device gets new tokens, as it does every quarter of an hour.
    let mut admin = Client {
        server: &after,
        session: admin.session,
        tokens: admin.tokens,
    };
    assert_eq!(admin.get("/me").await.refused().1, "token-expired");
    admin.refresh().await;
    assert_eq!(admin.get("/me").await.status, 200);
    for asked in &taken {
        let replayed = after.ask("GET", "/api/v1/me", asked, Vec::new()).await;
        assert_eq!(replayed.status, 401);
    }
}

#[tokio::test]
async fn a_replayed_renewal_does_not_end_the_login() {
    let before = Server::start().await;
    let mut admin = before.admin().await;
    let token = admin.tokens.refresh.clone();
    let path = "/api/v1/session/refresh";
    let asked = signed(&mut admin, "POST", "/session/refresh", &token, AHEAD_MS);
    let tokens: Tokens = before.ask("POST", path, &asked, Vec::new()).await.json();

    let after = before.start_again().await;
    let replayed = after.ask("POST", path, &asked, Vec::new()).await;
    assert_eq!(replayed.refused(), (410, "spent".into()));
    let mut admin = Client {
        server: &after,
        session: admin.session,
        tokens,
    };
    admin.refresh().await;
    assert_eq!(admin.get("/me").await.status, 200);
}

#[tokio::test]
async fn a_device_whose_clock_is_behind_goes_on_after_a_restart() {
    let before = Server::start().await;
    let admin = before.admin().await;
    let after = before.start_again().await;
    let mut admin = Client {
        server: &after,
        session: admin.session,
        tokens: admin.tokens,
    };
    let behind = Duration::from_secs(50);
    let at = now_ms() - u64::try_from(behind.as_millis()).unwrap();
    let token = admin.tokens.refresh.clone();
    let target = "/api/v1/session/refresh";
    let headers = |client: &mut Client<'_>, method: &str, target: &str, token: &Blob| {
        let proof = client
            .session
            .prove_request(method, target, &[], &token.0, at)
            .unwrap();
        [
            ("authorization", format!("Bearer {}", token.to_text())),
            (protocol::PROOF_HEADER, Blob(proof).to_text()),
        ]
    };
    let asked = headers(&mut admin, "POST", target, &token);
    admin.tokens = after.ask("POST", target, &asked, Vec::new()).await.json();
    let token = admin.tokens.access.clone();
    let asked = headers(&mut admin, "GET", "/api/v1/me", &token);
    let answer = after.ask("GET", "/api/v1/me", &asked, Vec::new()).await;
    assert_eq!(answer.status, 200);
}
