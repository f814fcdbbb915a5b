//! What a device may ask while it is locked.

use crypto_session::LockedView;
use protocol::{Blob, Me, Tokens, ViewKey};

use crate::client::{Client, Server, minutes, now_ms, pass};

/// Asks as a locked device: with the login's token, and the view's signature.
async fn look(
    server: &Server,
    admin: &Client<'_>,
    view: &mut LockedView,
    method: &str,
    path: &str,
    token: &Blob,
) -> crate::client::Answer {
    let target = format!("{}{path}", protocol::API_ROOT);
    let proof = view.prove_request(method, &target, &[], &token.0, now_ms());
    let headers = [
        ("authorization", format!("Bearer {}", token.to_text())),
        (protocol::PROOF_HEADER, Blob(proof.unwrap()).to_text()),
    ];
    assert!(admin.session.is_locked());
    server.ask(method, &target, &headers, Vec::new()).await
}

/// A login whose device is locked, and what it looks with.
pub async fn locked(server: &Server) -> (Client<'_>, LockedView) {
    let mut admin = server.admin().await;
    let view = LockedView::create(admin.session.device()).unwrap();
    let key = ViewKey {
        key: Blob(view.public_key().to_vec()),
    };
    admin.put("/session/view-key", &key).await.done();
    admin.session.lock();
    (admin, view)
}

#[tokio::test]
async fn a_locked_device_looks_and_does_nothing_else() {
    let server = Server::start().await;
    let (admin, mut view) = locked(&server).await;
    let token = admin.tokens.access.clone();
    let me: Me = look(&server, &admin, &mut view, "GET", "/me", &token)
        .await
        .json();
    assert_eq!(me.user, admin.user());
    for (method, path) in [
        ("GET", "/me/items-keys"),
        ("GET", "/me/sigchain"),
        ("GET", "/audit"),
        ("DELETE", "/me/sessions"),
    ] {
        let refused = look(&server, &admin, &mut view, method, path, &token).await;
        assert_eq!(refused.refused(), (403, "locked".into()), "{method} {path}");
    }
    let mut other = LockedView::create(admin.session.device()).unwrap();
    let refused = look(&server, &admin, &mut other, "GET", "/me", &token).await;
    assert_eq!(refused.refused(), (401, "bad-proof".into()));
    let out = look(
        &server,
        &admin,
        &mut view,
        "POST",
        "/session/logout",
        &token,
    );
    out.await.done();
    let gone = look(&server, &admin, &mut view, "GET", "/me", &token).await;
    assert_eq!(gone.status, 401);
}

#[tokio::test]
async fn looking_keeps_no_session_from_ending() {
    let server = Server::start().await;
    let (mut admin, mut view) = locked(&server).await;
    for _ in 0..5 {
        pass(minutes(10));
        let refresh = admin.tokens.refresh.clone();
        let renewed = look(
            &server,
            &admin,
            &mut view,
            "POST",
            "/session/refresh",
            &refresh,
        );
        let renewed: Tokens = renewed.await.json();
        admin.tokens = renewed;
    }
    let token = admin.tokens.access.clone();
    let me = look(&server, &admin, &mut view, "GET", "/me", &token).await;
    assert_eq!(me.status, 200);
    // The hour since it was last unlocked is over.
    pass(minutes(11));
    let idle = look(&server, &admin, &mut view, "GET", "/me", &token).await;
    assert_eq!(idle.refused(), (401, "idle".into()));
}
