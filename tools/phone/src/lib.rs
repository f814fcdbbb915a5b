//! A headless telephone for demonstrations and tests: real SIP and RTP over UDP.
//!
//! It is deliberately not the exchange's own user agent: the requests are
//! spelled out, timers are coarse, one call at a time, G.711 only. It plays a
//! tone instead of a voice and says what it hears.

mod audio;
mod signal;
mod thread;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

pub use audio::Sound;

/// How a phone is set up.
#[derive(Clone)]
pub struct PhoneConfig {
    /// Where it listens for SIP; RTP takes a port of the same address.
    pub local: SocketAddr,
    /// The exchange.
    pub server: SocketAddr,
    /// User name and password, for a phone that registers.
    pub account: Option<(String, String)>,
    /// The number that a caller shows.
    pub caller_id: String,
    /// The tone that stands for this party's voice, Hz.
    pub voice_hz: u32,
}

/// What to do.
#[derive(Debug)]
enum Order {
    Register,
    Call(String),
    Answer,
    Refuse(u16),
    HangUp,
    Press(char),
    Quit,
}

/// What happened, as the person holding the phone would tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneEvent {
    /// Registered with the exchange.
    Registered,
    /// The exchange refused the registration with this status.
    NotRegistered(u16),
    /// It rings and shows this.
    Rings {
        /// Display name.
        shows: String,
    },
    /// It stopped ringing by itself; the reason that the exchange gave.
    StoppedRinging {
        /// The `Reason` header's value, if any.
        reason: Option<String>,
    },
    /// The caller hears ringback.
    Ringback,
    /// The call is up.
    Connected,
    /// What is heard changed.
    Hears(Sound),
    /// The call was refused with this status.
    Refused(u16),
    /// The other side hung up.
    HungUp,
}

/// A telephone in a thread of its own.
pub struct Phone {
    orders: Sender<Order>,
    events: Receiver<(Instant, PhoneEvent)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Phone {
    /// Binds the sockets and starts the thread.
    ///
    /// # Errors
    /// No socket could be bound.
    pub fn start(config: PhoneConfig) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let (outbox, events) = channel();
        let body = thread::Body::new(config, outbox)?;
        let thread = std::thread::Builder::new()
            .name("phone".into())
            .spawn(move || body.run(&inbox))?;
        Ok(Self {
            orders,
            events,
            thread: Some(thread),
        })
    }

    /// Registers, and keeps registered.
    pub fn register(&self) {
        self.order(Order::Register);
    }

    /// Dials a number.
    pub fn call(&self, number: &str) {
        self.order(Order::Call(number.to_owned()));
    }

    /// Picks up.
    pub fn answer(&self) {
        self.order(Order::Answer);
    }

    /// Refuses the ringing call with a final status, such as 486.
    pub fn refuse(&self, status: u16) {
        self.order(Order::Refuse(status));
    }

    /// Hangs up, or gives up calling.
    pub fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    /// Presses a key (RFC 4733 event).
    pub fn press(&self, key: char) {
        self.order(Order::Press(key));
    }

    /// The next event, if one comes in time.
    #[must_use]
    pub fn next_event(&self, within: Duration) -> Option<(Instant, PhoneEvent)> {
        self.events.recv_timeout(within).ok()
    }

    /// Waits for a particular event and drops those before it.
    #[must_use]
    pub fn wait_for(
        &self,
        within: Duration,
        mut wanted: impl FnMut(&PhoneEvent) -> bool,
    ) -> Option<(Instant, PhoneEvent)> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (at, event) = self.next_event(left)?;
            if wanted(&event) {
                return Some((at, event));
            }
        }
    }

    fn order(&self, order: Order) {
        // A phone whose thread has ended has told so by its last events.
        let _ = self.orders.send(order);
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.order(Order::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
