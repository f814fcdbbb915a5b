//! Every route, asked by everybody.
//!
//! Who is let through is written out here a second time, by hand. A route that is not in the
//! list fails the test, and so does one that lets other people through. Whoever is not let
//! through has not changed one byte of the database either.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod world;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use axum::body::Body;
use axum::http::Request;
use crypto::identity::DeviceKeys;
use tower::ServiceExt;
use world::{Pass, World};

/// Who asks, by letter.
const ASKERS: [(char, &str); 16] = [
    ('n', "somebody who is not logged in"),
    ('v', "a volunteer"),
    ('a', "an admin of the hub"),
    ('r', "a reviewer"),
    ('p', "a reporter"),
    (
        'o',
        "a member who may read the audit trail and nothing else",
    ),
    ('s', "who runs the installation and is no member"),
    ('x', "an admin of another hub"),
    ('d', "an admin of the hub with a device that was revoked"),
    ('e', "an admin of the hub whose access token has expired"),
    ('i', "an admin of the hub who was deactivated"),
    ('l', "an admin of the hub with a device that is locked"),
    ('t', "an admin of the hub whose tokens have both expired"),
    (
        'D',
        "who runs the installation, with a device that was revoked",
    ),
    (
        'E',
        "who runs the installation and whose access token has expired",
    ),
    ('I', "who ran the installation and was deactivated"),
];
const ANYBODY: &str = "nvarposxdeiltDEI";
const LOGGED_IN: &str = "varposx";
/// Whoever runs the installation sees who belongs to a hub, to manage it.
const IN_THE_HUB: &str = "varpos";
const WRITERS: &str = "vap";
const READERS: &str = "vapr";

/// Method, path below the root of the API, who is let through, and a body that would be taken.
type Line = (&'static str, &'static str, &'static str, &'static str);

const EXPECTED: &[Line] = &[
    // Nobody can be logged in yet.
    ("GET", "/server", ANYBODY, ""),
    ("POST", "/bootstrap", ANYBODY, "{}"),
    ("POST", "/login", ANYBODY, "{}"),
    ("POST", "/login/challenge", ANYBODY, "{}"),
    ("POST", "/login/passkey", ANYBODY, "{}"),
    ("POST", "/login/passkey/begin", ANYBODY, "{}"),
    ("POST", "/invites/offer", ANYBODY, "{}"),
    ("POST", "/invites/redeem", ANYBODY, "{}"),
    // A device that is still locked, or new.
    ("POST", "/vaults/{vault}/share", ANYBODY, "{}"),
    ("POST", "/recovery/escrow", ANYBODY, "{}"),
    ("POST", "/recovery/backup-code", ANYBODY, "{}"),
    ("POST", "/pairing/{room}", ANYBODY, "{}"),
    ("POST", "/pairing/{room}/heard", ANYBODY, "{}"),
    ("POST", "/pairing/{room}/messages", ANYBODY, "{}"),
    (
        "POST",
        "/pairing/{room}/join",
        LOGGED_IN,
        r#"{"pass":"AQ"}"#,
    ),
    // Sessions. An expired access token is what the refresh token is for.
    ("POST", "/session/refresh", "varposxelE", ""),
    ("POST", "/session/logout", "varposxl", ""),
    ("PUT", "/session/view-key", LOGGED_IN, r#"{"key":"AQ"}"#),
    ("GET", "/me", "varposxl", ""),
    ("PUT", "/me/profile", LOGGED_IN, r#"{"profile":"AQ"}"#),
    ("GET", "/me/sessions", LOGGED_IN, ""),
    ("DELETE", "/me/sessions", LOGGED_IN, ""),
    ("DELETE", "/me/sessions/{session}", LOGGED_IN, ""),
    // One's own devices and keys.
    ("GET", "/me/devices", LOGGED_IN, ""),
    ("GET", "/me/sigchain", LOGGED_IN, ""),
    ("PUT", "/me/sigchain", LOGGED_IN, r#"{"sigchain":"AQ"}"#),
    ("PUT", "/vaults/{vault}/share", LOGGED_IN, "{}"),
    ("GET", "/me/recovery", LOGGED_IN, ""),
    ("PUT", "/me/backup-codes", LOGGED_IN, r#"{"codes":[]}"#),
    ("GET", "/me/items-keys", LOGGED_IN, ""),
    ("PUT", "/me/items-keys", LOGGED_IN, r#"{"key":"AQ"}"#),
    ("GET", "/me/passkeys", LOGGED_IN, ""),
    ("POST", "/me/passkeys", LOGGED_IN, "{}"),
    ("POST", "/me/passkeys/begin", LOGGED_IN, ""),
    (
        "PUT",
        "/me/passkeys/{credential}",
        LOGGED_IN,
        r#"{"name":"AQ"}"#,
    ),
    ("DELETE", "/me/passkeys/{credential}", LOGGED_IN, ""),
    // The installation.
    ("GET", "/audit", "s", ""),
    ("GET", "/audit/verification", "s", ""),
    ("POST", "/audit/head", "s", ""),
    ("PUT", "/users/{user}/active", "s", r#"{"active":false}"#),
    (
        "PUT",
        "/users/{user}/super-admin",
        "s",
        r#"{"super_admin":true}"#,
    ),
    ("POST", "/users/{user}/erasure", "s", ""),
    // What everybody must be able to check.
    ("GET", "/transparency/checkpoint", LOGGED_IN, ""),
    ("GET", "/transparency/leaves", LOGGED_IN, ""),
    ("GET", "/transparency/inclusion", LOGGED_IN, ""),
    ("GET", "/transparency/consistency", LOGGED_IN, ""),
    // Hubs and their people.
    ("GET", "/hubs", "varposxl", ""),
    ("GET", "/hubs/{hub}/members", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/profiles", "as", ""),
    ("GET", "/hubs/{hub}/settings", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/roster", IN_THE_HUB, ""),
    ("POST", "/hubs/{hub}/roster", "as", r#"{"links":["AQ"]}"#),
    ("GET", "/hubs/{hub}/sigchains", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/sigchains/{user}", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/keys", IN_THE_HUB, ""),
    ("POST", "/hubs/{hub}/keys", IN_THE_HUB, r#"{"wraps":[]}"#),
    ("GET", "/hubs/{hub}/invites", "as", ""),
    (
        "POST",
        "/hubs/{hub}/invites",
        "as",
        r#"{"role":{"name":"volunteer"},"expires_at_ms":1}"#,
    ),
    ("DELETE", "/hubs/{hub}/invites/{invite}", "as", ""),
    ("POST", "/invites/join", LOGGED_IN, r#"{"code":"x"}"#),
    ("GET", "/hubs/{hub}/shifts", "vasl", ""),
    ("GET", "/hubs/{hub}/groups", "vasl", ""),
    ("GET", "/hubs/{hub}/accounts", "as", ""),
    (
        "PUT",
        "/hubs/{hub}/accounts/{volunteer}",
        "as",
        r#"{"user":null}"#,
    ),
    // Records. Of others' an admin, a reviewer reads; nobody else does, whatever they run.
    (
        "POST",
        "/hubs/{hub}/records",
        WRITERS,
        r#"{"record":"AQ","visibility":"shared"}"#,
    ),
    ("GET", "/hubs/{hub}/records", READERS, ""),
    ("GET", "/hubs/{hub}/records/{record}", READERS, ""),
    ("PUT", "/hubs/{hub}/records/{record}/readers", READERS, "{}"),
    (
        "POST",
        "/hubs/{hub}/records/{record}/erasure",
        "vaps",
        r#"{"erasure":"AQ"}"#,
    ),
    ("GET", "/hubs/{hub}/records/{record}/files", READERS, ""),
    ("POST", "/hubs/{hub}/search", READERS, r#"{"tokens":[]}"#),
    ("GET", "/hubs/{hub}/export", READERS, ""),
    (
        "PUT",
        "/hubs/{hub}/files/{file}",
        WRITERS,
        r#"{"size":1024}"#,
    ),
    ("GET", "/hubs/{hub}/files/{file}", READERS, ""),
    ("POST", "/hubs/{hub}/files/{file}", WRITERS, "{}"),
    ("DELETE", "/hubs/{hub}/files/{file}", WRITERS, ""),
    (
        "PUT",
        "/hubs/{hub}/files/{file}/pieces/{position}",
        WRITERS,
        "piece",
    ),
    ("GET", "/hubs/{hub}/files/{file}/bytes", READERS, ""),
    // Calls and callers.
    ("GET", "/hubs/{hub}/calls", "arl", ""),
    ("POST", "/hubs/{hub}/calls/{call}/report", "var", ""),
    ("POST", "/hubs/{hub}/calls/{call}/caller", "a", ""),
    (
        "POST",
        "/hubs/{hub}/calls/{call}/caller/erasure",
        "as",
        r#"{"keep_ban":false}"#,
    ),
    ("GET", "/hubs/{hub}/bans", "a", ""),
    ("POST", "/hubs/{hub}/bans", "a", r#"{"call":7}"#),
    ("DELETE", "/hubs/{hub}/bans/{ban}", "a", ""),
    ("GET", "/hubs/{hub}/voicemails", "ar", ""),
    ("GET", "/hubs/{hub}/voicemails/{recording}/bytes", "ar", ""),
    ("POST", "/hubs/{hub}/voicemails/{recording}/heard", "ar", ""),
    ("DELETE", "/hubs/{hub}/voicemails/{recording}", "as", ""),
    // The trail.
    ("GET", "/hubs/{hub}/audit", "aos", ""),
    ("GET", "/hubs/{hub}/audit/verification", "aos", ""),
    ("POST", "/hubs/{hub}/audit/head", "aos", ""),
];

/// Where a shift asks from.
const ROUTER: [u8; 4] = [192, 0, 2, 77];
/// What no path takes.
const NONSENSE: &str = "{";

#[tokio::test]
async fn every_route_lets_through_whom_it_should_and_nobody_else() {
    let mut world = World::new("routes").await;
    let mut wrong = Vec::new();
    for (method, path, through, body) in EXPECTED {
        let passes = world.passes().await;
        for (letter, name) in ASKERS {
            let expected = through.contains(letter);
            // Who is let through goes no further than the reading of the body.
            let body = match expected && !body.is_empty() {
                true => NONSENSE,
                false => body,
            };
            let pass = passes.get(&letter);
            let (status, unchanged) = world.ask(pass, method, path, body).await;
            let as_expected = match expected {
                // Nor is it too much or a mistake.
                true => !matches!(status, 401 | 403 | 429 | 500..),
                false => matches!(status, 401 | 403),
            };
            if !as_expected {
                wrong.push(format!("{method} {path}: {name} is answered {status}"));
            }
            if !expected && !unchanged {
                wrong.push(format!("{method} {path}: {name} changed something"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// From however many addresses they ask.
#[tokio::test]
async fn one_person_does_not_ask_without_end_and_others_are_served() {
    let mut world = World::new("limits").await;
    let passes = world.passes().await;
    let (one, other) = (passes.get(&'v'), passes.get(&'a'));
    let began = Instant::now();
    let mut taken = 0;
    while world.status(one, "GET", "/me", "").await == 200 {
        taken += 1;
    }
    // Three hundred at once, and thirty more each second.
    let most = 300 + 30 * (began.elapsed().as_secs() + 1);
    assert!((300..=most).contains(&taken), "{taken}");
    assert_eq!(world.status(one, "GET", "/me", "").await, 429);
    assert_eq!(world.status(other, "GET", "/me", "").await, 200);
}

/// Whatever they ask for: also what nobody has to be let through for.
#[tokio::test]
async fn one_address_does_not_ask_without_end() {
    let world = World::new("address").await;
    for (number, path) in (1..).zip(["/", "/assets/none.js", "/nothing", protocol::FEED_PATH]) {
        let ask = async |host: u8| {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            let peer = SocketAddr::from(([192, 0, 2, host], 1024));
            request.extensions_mut().insert(peer);
            let answer = world.service.clone().oneshot(request).await.unwrap();
            answer.status().as_u16()
        };
        let began = Instant::now();
        let mut taken = 0;
        while ask(number).await != 429 {
            taken += 1;
            // A thousand at once, and a hundred more each second.
            let most = 1000 + 100 * (began.elapsed().as_secs() + 1);
            assert!(taken <= most, "{path}: {taken}");
        }
        assert!(taken >= 1000, "{path}: {taken}");
        assert_ne!(ask(100 + number).await, 429, "{path}");
    }
}

/// A shift behind one router: what people answer for does not count against their address.
#[tokio::test]
async fn many_people_ask_from_one_address() {
    let mut world = World::new("shift").await;
    let passes = world.passes().await;
    for _ in 0..250 {
        for letter in LOGGED_IN.chars() {
            let pass = passes.get(&letter);
            let status = world.status_from(ROUTER, pass, "GET", "/me", "").await;
            assert_eq!(status, 200, "{letter}");
        }
    }
    // They have used up nothing of what their address may ask.
    for _ in 0..1000 {
        assert_eq!(world.status_from(ROUTER, None, "GET", "/me", "").await, 401);
    }
}

/// A token alone, also a spent one, uses up nothing of its owner's; its bearer's address pays.
#[tokio::test]
async fn who_has_a_token_without_the_key_keeps_nobody_out() {
    let mut world = World::new("token").await;
    let passes = world.passes().await;
    let owner = passes.get(&'v').unwrap();
    let thief = Pass {
        keys: DeviceKeys::from_seed(owner.keys.user(), owner.keys.device(), &[9; 32]),
        view_key: None,
        ..*owner
    };
    for _ in 0..400 {
        for (method, path) in [("GET", "/me"), ("POST", "/session/refresh")] {
            let status = world.status_from(ROUTER, Some(&thief), method, path, "");
            assert_eq!(status.await, 401, "{path}");
        }
    }
    assert_eq!(world.status(Some(owner), "GET", "/me", "").await, 200);
    let began = Instant::now();
    let mut taken = 800;
    while world
        .status_from(ROUTER, Some(&thief), "GET", "/me", "")
        .await
        == 401
    {
        taken += 1;
        let most = 1000 + 100 * (began.elapsed().as_secs() + 60);
        assert!(taken <= most, "{taken}");
    }
    assert_eq!(world.status(Some(owner), "GET", "/me", "").await, 200);
}

#[test]
fn the_list_has_every_route() {
    let listed: BTreeSet<(String, String)> = EXPECTED
        .iter()
        .map(|(method, path, ..)| (path.to_string(), method.to_string()))
        .collect();
    assert_eq!(listed.len(), EXPECTED.len(), "a route is listed twice");
    let root = protocol::API_ROOT;
    let served: BTreeSet<(String, String)> = web_api::routes()
        .into_iter()
        .map(|route| {
            let path = route.path.strip_prefix(root).unwrap().to_owned();
            (path, route.method.to_string())
        })
        .collect();
    let missing: Vec<_> = served.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&served).collect();
    assert!(missing.is_empty(), "not in the list: {missing:?}");
    assert!(gone.is_empty(), "in the list and not served: {gone:?}");
}
