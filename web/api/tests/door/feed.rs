//! The feed: who hears, and when it ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{
    FEED_CLOSE_NOT_LOGGED_IN, FEED_CLOSE_SESSION_ENDED, FEED_CLOSE_TOO_MANY,
    FEED_CLOSE_TOO_MANY_FEEDS, FEED_PATH, FEEDS_PER_PERSON, FeedLogin, Notice, Topic,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::{Client, NAME, ORIGIN, Server, now_ms};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

async fn open(server: &Server) -> Socket {
    let url = format!("wss://hotline.example{FEED_PATH}");
    let (socket, _) = tokio_tungstenite::client_async(url, server.connect().await)
        .await
        .unwrap();
    socket
}

fn text(message: &impl serde::Serialize) -> Message {
    Message::Text(serde_json::to_string(message).unwrap().into())
}

fn login_of(client: &mut Client<'_>) -> FeedLogin {
    let access = client.tokens.access.clone();
    let proof = client
        .session
        .prove_request("GET", FEED_PATH, &[], &access.0, now_ms());
    let proof = protocol::Blob(proof.unwrap());
    FeedLogin { access, proof }
}

async fn logged_in(client: &mut Client<'_>) -> Socket {
    let mut socket = open(client.server).await;
    socket.send(text(&login_of(client))).await.unwrap();
    assert_eq!(notice(&mut socket).await, Notice::Ready);
    socket
}

async fn notice(socket: &mut Socket) -> Notice {
    let wait = Duration::from_secs(5);
    let message = tokio::time::timeout(wait, socket.next()).await.unwrap();
    let Message::Text(text) = message.unwrap().unwrap() else {
        panic!("a notice is text")
    };
    serde_json::from_str(&text).unwrap()
}

/// The code with which the server closes, within `wait`.
async fn close_code(socket: &mut Socket, wait: Duration) -> u16 {
    let close = async {
        loop {
            if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    };
    tokio::time::timeout(wait, close).await.unwrap()
}

const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn members_hear_that_something_changed_and_others_do_not() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let mut of_admin = logged_in(&mut admin).await;
    let mut of_other = logged_in(&mut other).await;
    crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let topic = Topic::Members;
    assert_eq!(notice(&mut of_admin).await, Notice::Changed { hub, topic });
    // Who redeemed an invitation belongs to the hub only when the roster says so.
    let quiet = tokio::time::timeout(Duration::from_millis(300), of_other.next()).await;
    assert!(quiet.is_err());

    server.hub(1, other.user(), store::Role::Volunteer).await;
    crate::coming_in::volunteer(&server, &mut admin, hub).await;
    assert_eq!(notice(&mut of_other).await, Notice::Changed { hub, topic });
}

#[tokio::test]
async fn a_person_hears_of_their_own_devices_and_nobody_else_does() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let mut of_admin = logged_in(&mut admin).await;
    let mut of_other = logged_in(&mut other).await;
    // Added by the first device, and logged in; a hub's admins hear of what its people have.
    let mut second = crate::devices::second(&server, &mut admin).await;
    let topic = Topic::Members;
    for heard in [
        Notice::Devices,
        Notice::Changed { hub, topic },
        Notice::Devices,
    ] {
        assert_eq!(notice(&mut of_admin).await, heard);
    }
    second.logout().await.done();
    assert_eq!(notice(&mut of_admin).await, Notice::Devices);
    let quiet = tokio::time::timeout(Duration::from_millis(300), of_other.next()).await;
    assert!(quiet.is_err());
}

#[tokio::test]
async fn what_somebody_began_who_went_away_is_done_and_told() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut of_admin = logged_in(&mut admin).await;
    let user = store::UserId(admin.user().0);
    let mut done = 0;
    for number in 1..=20_u8 {
        let profile = protocol::Blob(vec![number; 20]);
        let body = serde_json::to_vec(&protocol::ProfileChange { profile }).unwrap();
        let token = admin.tokens.access.clone();
        let mut request = format!("PUT /api/v1/me/profile HTTP/1.1\r\nhost: {NAME}\r\n");
        for (name, value) in admin.sign("PUT", "/me/profile", &body, &token) {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n", body.len());
        let mut request = request.into_bytes();
        request.extend(body);
        let mut stream = server.connect().await;
        stream.write_all(&request).await.unwrap();
        // Somewhere between the request and its end.
        tokio::time::sleep(Duration::from_micros(300 * u64::from(number))).await;
        stream.shutdown().await.unwrap();
        let told = tokio::time::timeout(Duration::from_millis(500), of_admin.next()).await;
        let row = server.store.reader().user(user).await.unwrap().unwrap();
        let kept = row.profile.unwrap().0 == [number; 20];
        assert_eq!(told.is_ok(), kept, "{number}");
        done += u32::from(kept);
    }
    assert!(done > 0);
}

#[tokio::test]
async fn a_locked_device_still_hears() {
    let server = Server::start().await;
    let (admin, mut view) = crate::locked::locked(&server).await;
    let access = admin.tokens.access.clone();
    let proof = view.prove_request("GET", FEED_PATH, &[], &access.0, now_ms());
    let proof = protocol::Blob(proof.unwrap());
    let mut socket = open(&server).await;
    socket
        .send(text(&FeedLogin { access, proof }))
        .await
        .unwrap();
    assert_eq!(notice(&mut socket).await, Notice::Ready);
}

#[tokio::test]
async fn who_does_not_log_in_at_once_is_closed() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut silent = open(&server).await;
    let mut wrong = open(&server).await;
    let mut login = login_of(&mut admin);
    *login.proof.0.last_mut().unwrap() ^= 1;
    wrong.send(text(&login)).await.unwrap();
    assert_eq!(close_code(&mut wrong, SOON).await, FEED_CLOSE_NOT_LOGGED_IN);

    let mut replayed = logged_in(&mut admin).await;
    let login = login_of(&mut admin);
    let mut first = open(&server).await;
    first.send(text(&login)).await.unwrap();
    assert_eq!(notice(&mut first).await, Notice::Ready);
    let mut again = open(&server).await;
    again.send(text(&login)).await.unwrap();
    assert_eq!(close_code(&mut again, SOON).await, FEED_CLOSE_NOT_LOGGED_IN);
    replayed.close(None).await.unwrap();

    let six = Duration::from_secs(6);
    assert_eq!(close_code(&mut silent, six).await, FEED_CLOSE_NOT_LOGGED_IN);
}

#[tokio::test]
async fn who_says_too_much_is_closed() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut long = logged_in(&mut admin).await;
    let most = "x".repeat(16 * 1024);
    long.send(Message::Text(most.clone().into())).await.unwrap();
    long.send(Message::Text((most + "x").into())).await.unwrap();
    assert_eq!(close_code(&mut long, SOON).await, 1009);

    let mut at_once = open(&server).await;
    at_once
        .send(Message::Text("x".repeat(16 * 1024 + 1).into()))
        .await
        .unwrap();
    assert_eq!(close_code(&mut at_once, SOON).await, 1009);

    let mut many = logged_in(&mut admin).await;
    for _ in 0..30 {
        many.send(Message::Text("x".into())).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..31 {
        many.send(Message::Text("x".into())).await.unwrap();
    }
    assert_eq!(close_code(&mut many, SOON).await, FEED_CLOSE_TOO_MANY);
}

/// The beginning of a message, and pieces of it without anything in them: `count` masked frames.
fn pieces(count: usize) -> Vec<u8> {
    let mut frames = vec![0x01, 0x80, 0, 0, 0, 0];
    frames.extend([0x00, 0x80, 0, 0, 0, 0].repeat(count));
    frames
}

#[tokio::test]
async fn who_sends_what_never_becomes_a_message_is_closed() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut stranger = open(&server).await;
    stranger.get_mut().write_all(&pieces(40_000)).await.unwrap();
    assert_eq!(close_code(&mut stranger, SOON).await, FEED_CLOSE_TOO_MANY);

    let mut member = logged_in(&mut admin).await;
    member.get_mut().write_all(&pieces(1_000)).await.unwrap();
    let open = tokio::time::timeout(Duration::from_millis(300), member.next()).await;
    assert!(open.is_err(), "a few pieces are a message");
    let more = pieces(40_000);
    member.get_mut().write_all(&more[6..]).await.unwrap();
    assert_eq!(close_code(&mut member, SOON).await, FEED_CLOSE_TOO_MANY);
}

#[tokio::test]
async fn a_person_has_so_many_feeds_and_others_have_theirs() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut other = crate::coming_in::volunteer(&server, &mut admin, hub).await;
    let mut feeds = Vec::new();
    for _ in 0..FEEDS_PER_PERSON {
        feeds.push(logged_in(&mut admin).await);
    }
    let mut more = open(&server).await;
    more.send(text(&login_of(&mut admin))).await.unwrap();
    assert_eq!(close_code(&mut more, SOON).await, FEED_CLOSE_TOO_MANY_FEEDS);
    logged_in(&mut other).await;
    feeds.pop().unwrap().close(None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    logged_in(&mut admin).await;
}

#[tokio::test]
async fn a_feed_ends_with_its_session() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut socket = logged_in(&mut admin).await;
    admin.logout().await.done();
    assert_eq!(
        close_code(&mut socket, SOON).await,
        FEED_CLOSE_SESSION_ENDED
    );
}

#[tokio::test]
async fn a_feed_ends_with_its_device() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let mut lost = crate::devices::second(&server, &mut admin).await;
    let (mut of_lost, mut of_admin) = (logged_in(&mut lost).await, logged_in(&mut admin).await);
    crate::devices::revoke(&mut admin, lost.session.device()).await;
    assert_eq!(
        close_code(&mut of_lost, SOON).await,
        FEED_CLOSE_SESSION_ENDED
    );
    assert_eq!(notice(&mut of_admin).await, Notice::Devices);
    let open = tokio::time::timeout(Duration::from_millis(300), of_admin.next()).await;
    assert!(open.is_err(), "the other device hears on");
}

#[tokio::test]
async fn another_page_in_the_browser_cannot_open_it() {
    let server = Server::start().await;
    for (page, allowed) in [(ORIGIN, true), ("https://evil.example", false)] {
        let url = format!("wss://hotline.example{FEED_PATH}");
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("origin", page.parse().unwrap());
        let opened = tokio_tungstenite::client_async(request, server.connect().await).await;
        assert_eq!(opened.is_ok(), allowed, "{page}");
    }
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_waits() {
    let mut server = Server::start().await;
    let serving = server.serving.take().unwrap();
    let mut admin = server.admin().await;
    let mut socket = logged_in(&mut admin).await;
    let drained = tokio::spawn(serving.drain(Duration::from_secs(5)));
    assert_eq!(close_code(&mut socket, SOON).await, 1001);
    drop(socket);
    assert!(drained.await.unwrap());
    assert!(TcpStream::connect(server.address).await.is_err());
}
