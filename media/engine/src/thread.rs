//! The media thread's loop.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use media::control::{MediaCommand, MediaEvent, PortId};
use media::mixer::{Mixer, PHASE};
use media::rtcp::NtpTime;
use media::rtp::MAX_DATAGRAM_BYTES;
use mio::{Events, Poll, Token};

use crate::counters::{Counters, EngineStats};
use crate::sockets::{Bound, Kind, Sockets, named};
use crate::{EngineConfig, Order, realtime};

/// The poller's name of the handle's wake-ups.
pub(crate) const WAKER: Token = Token(usize::MAX);

/// Readiness events taken at a time.
const MAX_READY: usize = 1_024;
/// After datagrams the thread sleeps this long before it looks for more: they
/// then come several at a time, which saves a third of the work. The price is
/// half of this in delay, on average. Two naps make a phase.
const NAP: Duration = Duration::from_micros(2_500);
/// Orders carried out before sockets have their turn.
const MAX_ORDERS: usize = 64;
/// A clock further behind is set right instead of catching up phase by phase.
const MAX_CATCH_UP: Duration = Duration::from_millis(100);

pub(crate) struct MediaThread {
    mixer: Mixer,
    sockets: Sockets,
    poll: Poll,
    orders: Receiver<Order>,
    on_event: Box<dyn Fn(MediaEvent) + Send>,
    max_ports: usize,
    realtime: bool,
    /// Whether the last round brought datagrams, so that more may wait.
    draining: bool,
    orders_waiting: bool,
    stopping: bool,
    next_phase: Instant,
    stats: EngineStats,
    counters: Arc<Counters>,
    /// One byte longer than what is taken, to tell what is too long.
    buffer: Box<[u8; MAX_DATAGRAM_BYTES + 1]>,
}

impl MediaThread {
    pub(crate) fn new(
        config: EngineConfig,
        poll: Poll,
        orders: Receiver<Order>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            mixer: Mixer::new(config.sinks, config.seed),
            sockets: Sockets::default(),
            poll,
            orders,
            on_event: config.on_event,
            max_ports: config.max_ports,
            realtime: config.realtime,
            draining: false,
            orders_waiting: false,
            stopping: false,
            next_phase: Instant::now(),
            stats: EngineStats::default(),
            counters,
            buffer: Box::new([0; MAX_DATAGRAM_BYTES + 1]),
        }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        if self.realtime
            && let Err(error) = realtime::enter()
        {
            tracing::info!(%error, "the media thread runs without real-time scheduling");
        }
        let mut ready = Events::with_capacity(MAX_READY);
        self.next_phase = Instant::now() + PHASE;
        while !self.stopping {
            if let Err(error) = self.wait(&mut ready) {
                tracing::error!(%error, "the media thread cannot wait for datagrams");
                // Calls go on by the tick alone rather than end.
                std::thread::sleep(PHASE);
            }
            let received = self.receive(&ready);
            self.tick();
            self.carry_out_orders();
            self.tell_events();
            self.nap(received);
        }
        self.close_all();
    }

    /// Waits for whatever comes first.
    fn wait(&mut self, ready: &mut Events) -> io::Result<()> {
        let busy = self.orders_waiting || self.draining;
        let timeout = match busy {
            true => Duration::ZERO,
            false => self.next_phase.saturating_duration_since(Instant::now()),
        };
        match self.poll.poll(ready, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                ready.clear();
                Ok(())
            }
            result => result,
        }
    }

    /// Lets datagrams gather once all that had come are taken.
    fn nap(&mut self, received: bool) {
        let drained = std::mem::replace(&mut self.draining, received) && !received;
        if drained && !self.orders_waiting {
            let until_phase = self.next_phase.saturating_duration_since(Instant::now());
            std::thread::sleep(NAP.min(until_phase));
        }
    }

    /// Takes a datagram from each socket that has one; tells whether any had.
    fn receive(&mut self, ready: &Events) -> bool {
        let now = Instant::now();
        let before = self.stats.received;
        for event in ready {
            match event.token() {
                WAKER => self.orders_waiting = true,
                token => self.take(token, now),
            }
        }
        self.stats.received > before
    }

    /// Takes the datagram that waits at a socket.
    fn take(&mut self, token: Token, now: Instant) {
        let (place, kind) = named(token);
        let received = self.sockets.receive((place, kind), &mut self.buffer[..]);
        let Some((length, source)) = received else {
            return;
        };
        self.stats.received += 1;
        let datagram = &mut self.buffer[..length];
        let taken = match kind {
            _ if length > MAX_DATAGRAM_BYTES => false,
            Kind::Rtp => self
                .mixer
                .handle_rtp(place, source, datagram, now, &mut self.sockets)
                .is_ok(),
            Kind::Rtcp => self
                .mixer
                .handle_rtcp(place, source, datagram, now, ntp())
                .is_ok(),
        };
        self.stats.refused += u64::from(!taken);
    }

    /// Runs the phases that are due.
    fn tick(&mut self) {
        let now = Instant::now();
        let late = now.saturating_duration_since(self.next_phase);
        if now < self.next_phase {
            return;
        }
        self.stats.worst_lateness = self.stats.worst_lateness.max(late);
        if late > MAX_CATCH_UP {
            tracing::warn!(
                late_ms = late.as_millis() as u64,
                "the media clock was held up"
            );
            self.next_phase = now;
        }
        let ntp = ntp();
        while self.next_phase <= now {
            let late = now.saturating_duration_since(self.next_phase);
            self.stats.late_phases += u64::from(late > PHASE);
            self.stats.phases += 1;
            self.mixer.tick(now, ntp, &mut self.sockets);
            self.next_phase += PHASE;
        }
        self.publish();
    }

    fn carry_out_orders(&mut self) {
        self.orders_waiting = false;
        for _ in 0..MAX_ORDERS {
            match self.orders.try_recv() {
                Ok(Order::Command(command)) => self.command(command),
                Ok(Order::LoadClip(clip, prompt)) => self.mixer.load_clip(clip, prompt),
                Ok(Order::UnloadClip(clip)) => self.mixer.unload_clip(clip),
                Ok(Order::Stop) => self.stopping = true,
                // Nothing waits; or the handle is gone, after its order to stop.
                Err(_) => return,
            }
        }
        self.orders_waiting = true;
    }

    fn command(&mut self, command: MediaCommand) {
        let bound = match &command {
            MediaCommand::Open { port, local } => {
                if self.mixer.place(*port).is_some() {
                    tracing::warn!(port = port.0, "a port was opened twice");
                    return;
                }
                match self.bind(*local) {
                    Ok(bound) => Some((*port, bound)),
                    Err(error) => {
                        tracing::warn!(port = port.0, %error, "a media port cannot be opened");
                        (self.on_event)(MediaEvent::OpenFailed { port: *port });
                        return;
                    }
                }
            }
            _ => None,
        };
        let closing = match &command {
            MediaCommand::Close { port } => self.mixer.place(*port),
            _ => None,
        };
        let now = Instant::now();
        self.mixer
            .handle_command(command, now, ntp(), &mut self.sockets);
        if let Some((port, bound)) = bound {
            self.listen_at(port, bound);
        }
        if let Some(place) = closing {
            self.sockets.remove(place);
        }
    }

    fn bind(&self, local: std::net::SocketAddr) -> io::Result<Bound> {
        if self.mixer.ports().len() >= self.max_ports {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Bound::new(local)
    }

    fn listen_at(&mut self, port: PortId, bound: Bound) {
        let Some(place) = self.mixer.place(port) else {
            return;
        };
        if let Err(error) = self.sockets.insert(place, bound, &self.poll) {
            tracing::error!(port = port.0, %error, "a media port cannot be watched");
            (self.on_event)(MediaEvent::OpenFailed { port });
        }
    }

    fn tell_events(&mut self) {
        while let Some(event) = self.mixer.poll_event() {
            (self.on_event)(event);
        }
    }

    fn close_all(&mut self) {
        let open: Vec<PortId> = self.mixer.ports().collect();
        for port in open {
            self.command(MediaCommand::Close { port });
        }
        self.tell_events();
        self.publish();
    }

    fn publish(&mut self) {
        self.stats.ports = self.mixer.ports().len() as u64;
        self.stats.sent = self.sockets.sent;
        self.stats.send_failed = self.sockets.send_failed;
        self.counters.publish(&self.stats);
    }
}

fn ntp() -> NtpTime {
    NtpTime::from_system(SystemTime::now())
}
