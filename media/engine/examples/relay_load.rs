//! How much CPU a relayed G.711 call takes: prints microseconds of the media
//! thread for each packet that comes in and goes out, system calls included.
//!
//! `cargo run --release -p engine --example relay_load -- [calls] [seconds] [pcma|opus]`
//!
//! With a codec named, the second side of each call speaks it, so that calls
//! to anything but `pcmu` are transcoded.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::{Engine, EngineConfig, EngineHandle};
use media::codec::Codec;
use media::control::{Direction, MediaCommand, PortFormat, PortId, RecordingKey};
use media::record::{RecordSink, RecordSinks, SinkFull};
use media::rtp::Header;

const FIRST_PORT: u16 = 20_000;

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

fn main() {
    let mut arguments = std::env::args().skip(1);
    let calls: u16 = arguments.next().map_or(200, |n| n.parse().unwrap());
    let seconds: u64 = arguments.next().map_or(5, |n| n.parse().unwrap());
    let other = arguments.next().map_or(Codec::Pcmu, |name| {
        Codec::from_encoding_name(&name).unwrap()
    });
    let engine = start(usize::from(calls) * 2);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    open_calls(&engine, calls, other, socket.local_addr().unwrap());
    let socket = Arc::new(socket);
    let (stop, received) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let sink = {
        let (socket, stop, received) = (socket.clone(), stop.clone(), received.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while !stop.load(Ordering::Relaxed) {
                while socket.recv(&mut buffer).is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                }
                // Blocking in recv would make each of the engine's sends wake us.
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    generate(&socket, calls, other, Duration::from_secs(1));
    let (cpu, stats) = (media_cpu(), engine.stats());
    generate(&socket, calls, other, Duration::from_secs(seconds));
    let (cpu, now) = (media_cpu() - cpu, engine.stats());
    stop.store(true, Ordering::Relaxed);
    sink.join().unwrap();
    let (taken, sent) = (now.received - stats.received, now.sent - stats.sent);
    let micros = cpu.as_secs_f64() * 1e6;
    println!(
        "{calls} calls, PCMU with {}: {taken} packets in, {sent} out ({} came back), {:.2} % of a core",
        other.encoding_name(),
        received.load(Ordering::Relaxed),
        micros / 1e4 / seconds as f64
    );
    println!(
        "{:.2} µs per packet in and out, {:.3} ms per second of call; {} late phases, worst {:?}",
        micros / taken as f64,
        micros / 1e3 / seconds as f64 / f64::from(calls),
        now.late_phases - stats.late_phases,
        now.worst_lateness,
    );
}

fn start(max_ports: usize) -> EngineHandle {
    Engine::start(EngineConfig {
        sinks: Box::new(NoSinks),
        on_event: Box::new(|_| {}),
        seed: 1,
        max_ports,
        max_orders: 1_000,
        realtime: false,
    })
    .unwrap()
}

/// The UDP port of the first or second side of a call.
fn udp_port(call: u16, side: u16) -> u16 {
    FIRST_PORT + 4 * call + 2 * side
}

fn open_calls(engine: &EngineHandle, calls: u16, other: Codec, remote: SocketAddr) {
    let order = |command: MediaCommand| {
        while engine.send(command.clone()).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    for call in 0..calls {
        let id = |side: u16| PortId(u64::from(2 * call + side));
        for (side, codec) in [(0, Codec::Pcmu), (1, other)] {
            let local = SocketAddr::from(([127, 0, 0, 1], udp_port(call, side)));
            order(MediaCommand::Open {
                port: id(side),
                local,
            });
            let format = PortFormat {
                remote,
                remote_rtcp: remote,
                codec,
                send_payload_type: 0,
                receive_payload_type: 0,
                telephone_event: None,
                comfort_noise: None,
                direction: Direction::SendRecv,
                latch: false,
            };
            let media_timeout = Duration::from_secs(10);
            order(MediaCommand::Configure {
                port: id(side),
                format,
                media_timeout,
            });
        }
        for (from, to) in [(0, 1), (1, 0)] {
            order(MediaCommand::Connect {
                from: id(from),
                to: id(to),
            });
        }
    }
}

/// Sends to both sides of all calls, 50 packets each second, spread evenly
/// over milliseconds.
fn generate(socket: &UdpSocket, calls: u16, other: Codec, time: Duration) {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    let mut slot = 0u32;
    while start.elapsed() < time {
        let due = start + Duration::from_millis(1) * slot;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let frame = SEQUENCE.load(Ordering::Relaxed) as u32;
        for call in (0..calls).filter(|call| u32::from(*call) % 20 == slot % 20) {
            for (side, codec) in [(0, Codec::Pcmu), (1, other)] {
                let mut datagram = [0x55; 172];
                let header = Header {
                    marker: false,
                    payload_type: 0,
                    sequence: frame as u16,
                    timestamp: frame.wrapping_mul(codec.timestamp_step()),
                    ssrc: u32::from(call),
                };
                datagram[..12].copy_from_slice(&header.build());
                datagram[12] = 0x08;
                let length = if codec == Codec::Opus { 72 } else { 172 };
                let to = SocketAddr::from(([127, 0, 0, 1], udp_port(call, side)));
                // A full buffer loses a packet, as a network would.
                let _ = socket.send_to(&datagram[..length], to);
            }
        }
        slot += 1;
        if slot.is_multiple_of(20) {
            SEQUENCE.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// CPU time of the media thread, as the kernel counts it.
fn media_cpu() -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap();
        if name.trim() == "media-0" {
            let times = std::fs::read_to_string(task.join("schedstat")).unwrap();
            let nanos = times.split(' ').next().unwrap().parse().unwrap();
            return Duration::from_nanos(nanos);
        }
    }
    Duration::ZERO
}
