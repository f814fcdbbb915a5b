//! What a port costs: allocations per packet and bytes per leg, counted by the
//! allocator itself.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::codec::Codec;
use media::control::{Direction, MediaCommand, PortFormat, PortId, RecordingKey};
use media::mixer::{Mixer, Outbox, PHASE};
use media::record::{RecordSink, RecordSinks, SinkFull};
use media::rtcp::NtpTime;
use media::rtp::Header;

/// Allocations the Opus encoder may make in one frame; it depends on the sound.
const OPUS_ENCODER_ALLOWANCE: usize = 20;
/// What a G.711 leg that is decoded may take, bytes.
const G711_LEG_BYTES: isize = 16 * 1024;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged; counting
// touches thread-local cells that need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        let _ = LIVE.try_with(|live| live.set(live.get() + layout.size() as isize));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get() - layout.size() as isize));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct NoSinks;

impl RecordSinks for NoSinks {
    fn open(&mut self, _: RecordingKey) -> Box<dyn RecordSink> {
        Box::new(NoSinks)
    }
}

impl RecordSink for NoSinks {
    fn write(&mut self, _: &[i16]) -> Result<(), SinkFull> {
        Ok(())
    }

    fn finish(&mut self) {}
}

/// Counts what is sent.
#[derive(Default)]
struct Sent(usize);

impl Outbox for Sent {
    fn send_rtp(&mut self, _: usize, _: SocketAddr, _: &[u8]) {
        self.0 += 1;
    }

    fn send_rtcp(&mut self, _: usize, _: SocketAddr, _: &[u8]) {}
}

struct Call {
    mixer: Mixer,
    codecs: Vec<Codec>,
    now: Instant,
    frames: u16,
    sent: Sent,
}

fn address(port: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000 + 2 * port as u16))
}

impl Call {
    /// Ports that all hear each other.
    fn new(codecs: &[Codec]) -> Self {
        let mut call = Self {
            mixer: Mixer::new(Box::new(NoSinks), 1),
            codecs: codecs.to_vec(),
            now: Instant::now(),
            frames: 0,
            sent: Sent::default(),
        };
        for (port, &codec) in codecs.iter().enumerate() {
            let id = PortId(port as u64);
            call.order(MediaCommand::Open {
                port: id,
                local: address(0),
            });
            let format = PortFormat {
                remote: address(port),
                remote_rtcp: address(port),
                codec,
                send_payload_type: 96,
                receive_payload_type: 96,
                telephone_event: Some((101, 101)),
                comfort_noise: Some(13),
                direction: Direction::SendRecv,
                latch: true,
            };
            let media_timeout = Duration::from_secs(10);
            call.order(MediaCommand::Configure {
                port: id,
                format,
                media_timeout,
            });
        }
        for from in 0..codecs.len() as u64 {
            for to in (0..codecs.len() as u64).filter(|to| *to != from) {
                let (from, to) = (PortId(from), PortId(to));
                call.order(MediaCommand::Connect { from, to });
            }
        }
        call
    }

    fn order(&mut self, command: MediaCommand) {
        let now = self.now;
        self.mixer
            .handle_command(command, now, NtpTime(0), &mut self.sent);
    }

    /// 20 ms: one packet for each port and four phases.
    fn frame(&mut self) {
        for port in 0..self.codecs.len() {
            let mut datagram = [0xd5; 172];
            let step = self.codecs[port].timestamp_step();
            let header = Header {
                marker: false,
                payload_type: 96,
                sequence: self.frames,
                timestamp: u32::from(self.frames) * step,
                ssrc: port as u32,
            };
            datagram[..12].copy_from_slice(&header.build());
            // A SILK packet of 20 ms, or 160 bytes of G.711 or G.722.
            let length = if self.codecs[port] == Codec::Opus {
                72
            } else {
                172
            };
            datagram[12] = 0x08;
            let from = address(port);
            self.mixer
                .handle_rtp(
                    port,
                    from,
                    &mut datagram[..length],
                    self.now,
                    &mut self.sent,
                )
                .unwrap();
        }
        for _ in 0..4 {
            self.mixer.tick(self.now, NtpTime(0), &mut self.sent);
            self.now += PHASE;
        }
        assert_eq!(self.mixer.poll_event(), None);
        self.frames += 1;
    }

    /// Allocations in ten seconds, after one to warm up; and packets sent.
    fn allocations(mut self) -> (usize, usize) {
        (0..50).for_each(|_| self.frame());
        let (before, sent) = (COUNT.get(), self.sent.0);
        (0..500).for_each(|_| self.frame());
        (COUNT.get() - before, self.sent.0 - sent)
    }
}

#[test]
fn the_counter_counts() {
    let before = (COUNT.get(), LIVE.get());
    let kept = std::hint::black_box(Box::new([0u8; 100]));
    assert_eq!((COUNT.get(), LIVE.get()), (before.0 + 1, before.1 + 100));
    drop(kept);
    assert_eq!(LIVE.get(), before.1);
}

#[test]
fn forwarding_does_not_allocate() {
    for codec in Codec::ALL {
        let (allocations, sent) = Call::new(&[codec, codec]).allocations();
        assert_eq!(sent, 1_000, "{codec:?}");
        assert_eq!(allocations, 0, "{codec:?}");
    }
}

#[test]
fn transcoding_and_mixing_do_not_allocate() {
    for codecs in [
        &[Codec::Pcma, Codec::Pcmu][..],
        &[Codec::G722, Codec::Pcmu],
        &[Codec::Opus, Codec::Pcma],
        &[Codec::Pcma, Codec::G722, Codec::Opus],
    ] {
        let (allocations, sent) = Call::new(codecs).allocations();
        assert_eq!(sent, 500 * codecs.len(), "{codecs:?}");
        let opus = codecs.iter().filter(|codec| **codec == Codec::Opus).count();
        let allowed = 500 * opus * OPUS_ENCODER_ALLOWANCE;
        assert!(allocations <= allowed, "{codecs:?}: {allocations}");
    }
}

#[test]
fn a_leg_is_small() {
    let legs = 40;
    for (codecs, limit) in [
        ([Codec::Pcma, Codec::Pcma], 4 * 1024),
        ([Codec::Pcma, Codec::Pcmu], G711_LEG_BYTES),
    ] {
        let before = LIVE.get();
        let mut calls: Vec<Call> = (0..legs / 2).map(|_| Call::new(&codecs)).collect();
        calls
            .iter_mut()
            .for_each(|call| (0..100).for_each(|_| call.frame()));
        // A mixer's own working memory is shared by all legs of a thread.
        let shared = size_of::<media::port::Scratch>() as isize * calls.len() as isize;
        let each = (LIVE.get() - before - shared) / legs;
        assert!(each < limit, "{codecs:?}: {each} bytes");
    }
}
