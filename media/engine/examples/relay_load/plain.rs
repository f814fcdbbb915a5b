//! The yardstick: a relay that does nothing but take and send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

/// A thread with a socket per port that sends every datagram on to `remote`
/// from the other socket of the call, as it is, as soon as it comes.
pub struct PlainRelay {
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl PlainRelay {
    pub const THREAD: &str = "plain-0";

    pub fn start(ports: impl Iterator<Item = u16>, remote: SocketAddr) -> Self {
        let poll = Poll::new().unwrap();
        let sockets = ports.enumerate().map(|(at, port)| {
            let mut socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
            let registry = poll.registry();
            let token = Token(at);
            registry
                .register(&mut socket, token, Interest::READABLE)
                .unwrap();
            socket
        });
        let sockets: Vec<UdpSocket> = sockets.collect();
        let (received, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, ends) = (received.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name(Self::THREAD.into())
            .spawn(move || relay(poll, &sockets, remote, &count, &ends))
            .unwrap();
        Self {
            received,
            stop,
            thread: Some(thread),
        }
    }

    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for PlainRelay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn relay(
    mut poll: Poll,
    sockets: &[UdpSocket],
    remote: SocketAddr,
    received: &AtomicU64,
    stop: &AtomicBool,
) {
    let mut ready = Events::with_capacity(1_024);
    let mut buffer = [0; 1_500];
    while !stop.load(Ordering::Relaxed) {
        poll.poll(&mut ready, Some(Duration::from_millis(100)))
            .unwrap();
        for event in &ready {
            let at = event.token().0;
            while let Ok((length, _)) = sockets[at].recv_from(&mut buffer) {
                received.fetch_add(1, Ordering::Relaxed);
                let _ = sockets[at ^ 1].send_to(&buffer[..length], remote);
            }
        }
    }
}
