//! How much the server keeps for those who have not proved anything yet.

use protocol::Blob;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{NAME, Server};

const LARGE_BYTES: usize = 4_000_000;
const TARGET: &str = "/api/v1/me/sigchain";

/// A request for a large body with these headers, of which all but the body was sent.
async fn announce(server: &Server, headers: &[(&str, String)]) -> TlsStream<TcpStream> {
    let mut stream = server.connect().await;
    let mut front = format!("PUT {TARGET} HTTP/1.1\r\nhost: {NAME}\r\n");
    for (name, value) in headers {
        front += &format!("{name}: {value}\r\n");
    }
    front += &format!("content-length: {LARGE_BYTES}\r\n\r\n");
    stream.write_all(front.as_bytes()).await.unwrap();
    stream
}

/// The status and the head of the answer.
async fn answer(stream: &mut TlsStream<TcpStream>) -> (String, String) {
    let mut read = vec![0; 4096];
    let count = stream.read(&mut read).await.unwrap();
    let text = String::from_utf8_lossy(&read[..count]).into_owned();
    let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, text)
}

#[tokio::test]
async fn a_token_without_its_key_makes_the_server_keep_one_body() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let token = admin.tokens.access.clone();
    // The device's own signature, over something else.
    let headers = admin.sign("GET", "/me", &[], &token);
    let body = vec![b'x'; LARGE_BYTES];

    let mut first = announce(&server, &headers).await;
    first.write_all(&body[..LARGE_BYTES - 1]).await.unwrap();
    let mut second = announce(&server, &headers).await;
    second.write_all(&body).await.unwrap();
    let (status, head) = answer(&mut second).await;
    assert_eq!(status, "429");
    assert!(head.contains("retry-after: "), "{head}");

    // What people send otherwise goes on.
    let profile = protocol::ProfileChange {
        profile: Blob(vec![1; 10_000]),
    };
    assert_eq!(admin.put("/me/profile", &profile).await.status, 204);

    first.write_all(b"x").await.unwrap();
    assert_eq!(answer(&mut first).await.0, "401");
    let mut third = announce(&server, &headers).await;
    third.write_all(&body).await.unwrap();
    assert_eq!(answer(&mut third).await.0, "401");
}

#[tokio::test]
async fn what_is_no_proof_is_refused_before_the_body() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let token = admin.tokens.access.clone();
    let [bearer, (name, proof)] = admin.sign("PUT", "/me/sigchain", &[], &token);
    let mut other_device = proof.parse::<Blob>().unwrap();
    other_device.0[5] ^= 1;
    for proof in ["AQ".to_owned(), other_device.to_text()] {
        let headers = [bearer.clone(), (name, proof)];
        let held: Vec<_> = {
            let mut held = Vec::new();
            for _ in 0..3 {
                held.push(announce(&server, &headers).await);
            }
            held
        };
        let mut more = announce(&server, &headers).await;
        more.write_all(&vec![b'x'; LARGE_BYTES]).await.unwrap();
        assert_eq!(answer(&mut more).await.0, "401");
        drop(held);
    }
}

#[tokio::test]
async fn a_path_without_a_body_reads_none() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let token = admin.tokens.refresh.clone();
    let body = vec![b'x'; 200_000];
    // If it were read, this would be no proof of it.
    let headers = admin.sign("POST", "/session/refresh", &[], &token);
    let refused = server
        .ask("POST", "/api/v1/session/refresh", &headers, body)
        .await;
    assert_eq!(refused.refused(), (400, "malformed".into()));
    admin.refresh().await;
}
