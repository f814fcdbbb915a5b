//! The shell around [`media`]: sockets, the clock and the media thread.
//!
//! One thread owns all ports. It waits for datagrams, orders and the next
//! phase of the 20 ms tick, whichever comes first, and never for anything
//! else: no lock, no disk, no allocation per packet. Orders come through a
//! bounded queue; events leave through a callback, which must not block.

mod counters;
mod realtime;
mod sockets;
mod thread;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use media::control::{ClipId, MediaCommand, MediaEvent};
use media::prompt::Prompt;
use media::record::RecordSinks;
use mio::{Poll, Waker};
use thiserror::Error;

use counters::Counters;
use thread::MediaThread;

pub use counters::EngineStats;

/// What the engine needs.
pub struct EngineConfig {
    /// Where recordings go.
    pub sinks: Box<dyn RecordSinks>,
    /// Hears every event, on the media thread: must return at once.
    pub on_event: Box<dyn Fn(MediaEvent) + Send>,
    /// Decides stream names and first numbers; random, from the system.
    pub seed: u64,
    /// Ports open at the same time; further ones fail to open.
    pub max_ports: usize,
    /// Orders that may wait to be carried out.
    pub max_orders: usize,
    /// Whether to ask the system for real-time scheduling. Refusal is logged.
    pub realtime: bool,
}

impl std::fmt::Debug for EngineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineConfig")
            .field("max_ports", &self.max_ports)
            .field("max_orders", &self.max_orders)
            .field("realtime", &self.realtime)
            .finish_non_exhaustive()
    }
}

/// Why the engine did not start.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The system gave no poller, waker or thread.
    #[error("the media thread cannot be set up")]
    Setup(#[from] io::Error),
}

/// The order was not taken: too many wait, or the engine has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the media engine takes no orders at present")]
pub struct Busy;

/// Something for the media thread to do.
pub(crate) enum Order {
    Command(MediaCommand),
    LoadClip(ClipId, Arc<Prompt>),
    UnloadClip(ClipId),
    Stop,
}

/// The media engine.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts the media thread.
    ///
    /// # Errors
    /// [`EngineError::Setup`] when the system refuses what it needs.
    pub fn start(config: EngineConfig) -> Result<EngineHandle, EngineError> {
        let (orders, queue) = sync_channel(config.max_orders);
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), thread::WAKER)?;
        let counters = Arc::new(Counters::default());
        let media = MediaThread::new(config, poll, queue, Arc::clone(&counters));
        let thread = std::thread::Builder::new()
            .name("media-0".into())
            .spawn(move || media.run())?;
        Ok(EngineHandle {
            orders,
            waker,
            counters,
            thread: Some(thread),
        })
    }
}

/// Gives orders to a running engine. Stops it when dropped.
#[derive(Debug)]
pub struct EngineHandle {
    orders: SyncSender<Order>,
    waker: Waker,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl EngineHandle {
    /// Gives an order. Orders are carried out in sequence.
    ///
    /// # Errors
    /// [`Busy`] when too many wait.
    pub fn send(&self, command: MediaCommand) -> Result<(), Busy> {
        self.order(Order::Command(command))
    }

    /// Makes a clip known, in place of one of the same name.
    ///
    /// # Errors
    /// [`Busy`] when too many orders wait.
    pub fn load_clip(&self, clip: ClipId, prompt: Arc<Prompt>) -> Result<(), Busy> {
        self.order(Order::LoadClip(clip, prompt))
    }

    /// Forgets a clip. Where it plays, it plays on.
    ///
    /// # Errors
    /// [`Busy`] when too many orders wait.
    pub fn unload_clip(&self, clip: ClipId) -> Result<(), Busy> {
        self.order(Order::UnloadClip(clip))
    }

    /// The counters, at most one tick old.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.counters.read()
    }

    /// Closes all ports, with their events, and waits for the thread to end.
    pub fn stop(self) {
        drop(self);
    }

    fn order(&self, order: Order) -> Result<(), Busy> {
        self.orders.try_send(order).map_err(|_| Busy)?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // Without the wake-up the order is carried out at the next phase, 5 ms on.
        if let Err(error) = self.waker.wake() {
            tracing::warn!(%error, "cannot wake the media thread");
        }
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        // Waits for room in the queue; fails only when the thread is gone.
        let _ = self.orders.send(Order::Stop);
        self.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the media thread has panicked");
        }
    }
}
