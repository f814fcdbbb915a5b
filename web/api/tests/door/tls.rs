//! What is under HTTP: TLS 1.3, certificates, limits, headers.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use protocol::{Blob, Id, RoomEntry, RoomReading};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use web_api::{ListenError, LocalAuthority, Tls, TlsError, TlsSource, WebServer};

use crate::client::{NAME, Server, new_folder};

/// A client's first message in TLS 1.2 (RFC 5246 section 7.4.1.2), with the extensions of its
/// time: two suites that TLS 1.2 servers take, the server's name, curves and signatures.
fn hello_of_tls_1_2() -> Vec<u8> {
    let vector16 = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &vector16(body)].concat();
    let name = [&[0][..], &vector16(NAME.as_bytes())].concat();
    let extensions = [
        extension(0, &vector16(&name)),
        extension(10, &vector16(&[0, 29, 0, 23])),
        extension(13, &vector16(&[4, 3, 8, 4])),
    ]
    .concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(vector16(&[0xc0, 0x2b, 0xc0, 0x2f]));
    body.extend([1, 0]);
    body.extend(vector16(&extensions));
    let length = (body.len() as u32).to_be_bytes();
    let handshake = [&[1][..], &length[1..], &body].concat();
    [&[0x16, 3, 1][..], &vector16(&handshake)].concat()
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&hello_of_tls_1_2()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // An alert: fatal, protocol_version (RFC 8446 section 6.2).
    assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 70]);
}

#[tokio::test]
async fn the_authority_stays_and_what_it_signs_does_not() {
    let server = Server::start().await;
    let folder = server.folder.join("tls");
    let open = || {
        let source = TlsSource::Local {
            folder: folder.clone(),
            names: vec![NAME.to_owned(), "192.0.2.1".to_owned()],
        };
        Tls::open(source, Timestamp::now()).unwrap()
    };
    let (one, other) = (open(), open());
    assert_eq!(one.fingerprint(), other.fingerprint());
    assert_eq!(one.fingerprint().len(), 32 * 3 - 1);
    assert_eq!(one.authority_pem(), other.authority_pem());
    let mode = |name: &str| {
        let metadata = std::fs::metadata(folder.join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("authority.key"), mode("")), (0o600, 0o700));
    let names = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(names, 2, "only the authority is on the disk");

    std::fs::remove_file(folder.join("authority.key")).unwrap();
    let source = TlsSource::Local {
        folder: folder.clone(),
        names: vec![NAME.to_owned()],
    };
    let half = Tls::open(source, Timestamp::now()).unwrap_err();
    assert!(matches!(half, TlsError::HalfAuthority { .. }), "{half}");
}

#[tokio::test]
async fn a_certificate_is_renewed_with_the_clock() {
    // Made when the clock was years behind: devices would refuse it.
    let folder = std::env::temp_dir().join(format!("centralita-clock-{}", std::process::id()));
    let source = TlsSource::Local {
        folder: folder.clone(),
        names: vec![NAME.to_owned()],
    };
    let wrong = Timestamp::now() - (24 * 365).hours();
    let tls = Tls::open(source, wrong).unwrap();
    let server = Server::start_with(tls).await;
    // The listener looks at its start, and every hour.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        server.ask("GET", "/nothing", &[], Vec::new()).await.status,
        404
    );
    std::fs::remove_dir_all(folder).unwrap();
}

fn local(folder: &Path, now: Timestamp) -> Tls {
    let source = TlsSource::Local {
        folder: folder.to_owned(),
        names: vec![NAME.to_owned()],
    };
    Tls::open(source, now).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn an_authority_is_followed_by_the_next_one_and_ended_it_stops_nothing() {
    let folder = new_folder();
    let made: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
    let old = local(&folder, made);
    let end: Timestamp = "2036-11-28T00:00:00Z".parse().unwrap();
    assert_eq!(old.authority_ends(), Some(end));
    // Past its end, the panel starts with it all the same.
    let late = local(&folder, end + 24.hours());
    assert_eq!(late.fingerprint(), old.fingerprint());

    let (next, kept) = LocalAuthority::renew(&folder, end - (24 * 30).hours()).unwrap();
    assert_eq!(kept.fingerprint, old.fingerprint());
    assert_eq!(next.ends.to_string(), "2046-10-29T00:00:00Z");
    assert_ne!(next.fingerprint, kept.fingerprint);
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(Some(&*text(&kept.certificate)), old.authority_pem());
    let mode = std::fs::metadata(&kept.key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(names(&folder).len(), 4);
    assert_eq!(LocalAuthority::read(&folder).unwrap(), next);
    // What was running goes on; what starts takes the next one.
    assert_eq!(old.fingerprint(), kept.fingerprint);
    old.authority_pem().unwrap();
    assert_eq!(local(&folder, end).fingerprint(), next.fingerprint);

    // Back again.
    std::fs::rename(&kept.certificate, &next.certificate).unwrap();
    std::fs::rename(&kept.key, &next.key).unwrap();
    assert_eq!(local(&folder, end).fingerprint(), kept.fingerprint);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_renewal_by_root_is_for_the_user_that_runs_the_server() {
    let folder = new_folder();
    local(&folder, Timestamp::now());
    const SOMEBODY: u32 = 65_534;
    let expected = match std::os::unix::fs::chown(&folder, Some(SOMEBODY), Some(SOMEBODY)) {
        Ok(()) => SOMEBODY,
        // Not root: there is nobody else to be.
        Err(_) => std::fs::metadata(&folder).unwrap().uid(),
    };
    let (next, old) = LocalAuthority::renew(&folder, Timestamp::now()).unwrap();
    for path in [next.certificate, next.key, old.certificate, old.key] {
        assert_eq!(std::fs::metadata(path).unwrap().uid(), expected);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn the_next_authority_signs_what_the_server_shows() {
    let folder = new_folder();
    let tls = folder.join("tls");
    local(&tls, Timestamp::now());
    LocalAuthority::renew(&tls, Timestamp::now()).unwrap();
    // The client trusts the authority that is in the folder.
    let server = Server::start_with(local(&tls, Timestamp::now())).await;
    assert_eq!(
        server.ask("GET", "/nothing", &[], Vec::new()).await.status,
        404
    );
}

#[tokio::test]
async fn a_renewal_that_was_interrupted_leaves_one_whole_authority() {
    let folder = new_folder();
    let now = Timestamp::now();
    let first = local(&folder, now).fingerprint();
    let file = |name: &str| folder.join(name);
    // Before the key has moved, it is the old one, whatever lies about.
    std::fs::write(file("authority.next.key"), "half a k").unwrap();
    std::fs::write(file("authority.next.pem"), "").unwrap();
    assert_eq!(local(&folder, now).fingerprint(), first);
    let (next, kept) = LocalAuthority::renew(&folder, now).unwrap();
    assert_eq!(kept.fingerprint, first);
    // After it, it is the next one.
    std::fs::rename(&next.certificate, file("authority.next.pem")).unwrap();
    std::fs::copy(&kept.certificate, &next.certificate).unwrap();
    assert_eq!(
        LocalAuthority::read(&folder).unwrap().fingerprint,
        next.fingerprint
    );
    assert!(
        file("authority.next.pem").exists(),
        "looking changes nothing"
    );
    assert_eq!(local(&folder, now).fingerprint(), next.fingerprint);
    assert!(!file("authority.next.pem").exists());
    assert_eq!(LocalAuthority::read(&folder).unwrap(), next);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_an_authority_there_is_none_to_renew() {
    let folder = new_folder();
    for refused in [
        LocalAuthority::read(&folder).unwrap_err(),
        LocalAuthority::renew(&folder, Timestamp::now()).unwrap_err(),
    ] {
        assert!(matches!(refused, TlsError::NoAuthority(_)), "{refused}");
    }
}

#[tokio::test]
async fn given_files_are_checked() {
    let server = Server::start().await;
    let authority = server.folder.join("tls/authority.pem");
    let key = server.folder.join("tls/authority.key");
    let files = |certificate: PathBuf, key: PathBuf| {
        Tls::open(TlsSource::Files { certificate, key }, Timestamp::now())
    };
    let tls = files(authority.clone(), key.clone()).unwrap();
    assert!(tls.authority_pem().is_none());
    assert_eq!(tls.fingerprint().len(), 32 * 3 - 1);
    let swapped = files(key.clone(), authority.clone()).unwrap_err();
    assert!(
        swapped.to_string().contains("certificates in PEM"),
        "{swapped}"
    );
    let missing = files(server.folder.join("none"), key.clone()).unwrap_err();
    assert!(missing.to_string().contains("none"), "{missing}");
    let other = Server::start().await;
    let foreign = files(authority, other.folder.join("tls/authority.key")).unwrap_err();
    assert!(matches!(foreign, TlsError::Refused(_)), "{foreign}");
}

#[tokio::test]
async fn a_taken_port_is_said_in_one_sentence() {
    let server = Server::start().await;
    let source = TlsSource::Local {
        folder: server.folder.join("tls"),
        names: vec![NAME.to_owned()],
    };
    let tls = Tls::open(source, Timestamp::now()).unwrap();
    let taken = WebServer::bind(server.address, tls, axum::Router::new(), 10).await;
    let taken = taken.unwrap_err();
    assert!(matches!(taken, ListenError::Taken(_)));
    let port = server.address.port();
    assert!(
        taken
            .to_string()
            .starts_with(&format!("port {port} of 127.0.0.1 is taken"))
    );
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let answers = [
        admin.get("/me").await,
        admin.logout().await,
        server.ask("GET", "/api/v1/me", &[], Vec::new()).await,
        server.ask("GET", "/nothing", &[], Vec::new()).await,
        server.ask("PATCH", "/api/v1/me", &[], Vec::new()).await,
        server.ask("GET", "/api/v1/feed", &[], Vec::new()).await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 204, 401, 404, 405, 400]);
    for answer in &answers {
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert!(header("strict-transport-security").starts_with("max-age=63072000"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert!(header("content-security-policy").contains("default-src 'none'"));
    }
}

#[tokio::test]
async fn a_stop_waits_for_requests_but_not_for_ever() {
    let mut server = Server::start().await;
    let serving = server.serving.take().unwrap();
    let room = format!("/pairing/{}", Id([1; 16]));
    let pass = Blob(vec![1; 16]);
    let entry = RoomEntry { pass: pass.clone() };
    server.post(&room, &entry).await.done();
    // Nobody will say anything: the server keeps this request for a long time.
    let path = format!("{room}/heard");
    let reading = RoomReading { pass, place: 0 };
    let waiting = server.post(&path, &reading);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        serving.drain(Duration::from_millis(500)).await
    };
    tokio::select! {
        _ = waiting => panic!("there is nothing to hear"),
        all_done = stopping => assert!(!all_done),
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let server = Server::start().await;
    let long = vec![b' '; 256 * 1024 + 1];
    let refused = server.ask("POST", "/api/v1/login", &[], long).await;
    assert_eq!(refused.refused(), (413, "too-large".into()));
}

#[tokio::test]
async fn who_has_no_login_hears_so_however_much_they_send() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let path = "/api/v1/me/sigchain";
    // More than anybody may send there.
    let long = vec![b' '; 4 * 1024 * 1024 + 1];
    let refused = server.ask("PUT", path, &[], long.clone()).await;
    assert_eq!(refused.refused(), (401, "login-needed".into()));
    let unknown = Blob(vec![7; 32]);
    let headers = admin.sign("PUT", "/me/sigchain", &long, &unknown);
    let refused = server.ask("PUT", path, &headers, long.clone()).await;
    assert_eq!(refused.refused(), (401, "token-expired".into()));
    let token = admin.tokens.access.clone();
    let headers = admin.sign("PUT", "/me/sigchain", &long, &token);
    let refused = server.ask("PUT", path, &headers, long.clone()).await;
    assert_eq!(refused.refused(), (413, "too-large".into()));
    let most = &long[1..];
    let headers = admin.sign("PUT", "/me/sigchain", most, &token);
    let read = server.ask("PUT", path, &headers, most.to_vec()).await;
    assert_eq!(read.refused(), (400, "malformed".into()));
}
