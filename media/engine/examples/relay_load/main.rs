//! How much CPU a relayed G.711 call takes: prints microseconds of the media
//! thread for each packet that comes in and goes out, system calls included,
//! and the same of a relay that does nothing else, in turns.
//!
//! `cargo run --release -p engine --example relay_load -- [calls] [seconds] [pcma|opus]`
//!
//! With a codec named, the second side of each call speaks it, so that calls
//! to anything but `pcmu` are transcoded.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod plain;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::{Engine, EngineConfig, EngineHandle};
use media::codec::Codec;
use media::control::{Direction, MediaCommand, PortFormat, PortId, RecordingKey};
use media::record::{RecordSink, RecordSinks, SinkFull};
use media::rtp::Header;
use plain::PlainRelay;

const ENGINE_PORTS: u16 = 10_000;
const PLAIN_PORTS: u16 = 20_000;
/// Turns of each relay.
const ROUNDS: usize = 5;
/// Before what is measured, in each turn.
const WARM_UP: Duration = Duration::from_millis(500);

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

/// The calls to be carried.
#[derive(Clone, Copy)]
struct Load {
    calls: u16,
    other: Codec,
    turn: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let load = Load {
        calls: arguments.next().map_or(200, |n| n.parse().unwrap()),
        turn: Duration::from_secs(arguments.next().map_or(2, |n| n.parse().unwrap())),
        other: arguments.next().map_or(Codec::Pcmu, |name| {
            Codec::from_encoding_name(&name).unwrap()
        }),
    };
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.set_nonblocking(true).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let sink = {
        let (socket, stop) = (socket.clone(), stop.clone());
        std::thread::spawn(move || swallow(&socket, &stop))
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(engine_turn(load, &socket));
        theirs.push(plain_turn(load, &socket));
    }
    stop.store(true, Ordering::Relaxed);
    sink.join().unwrap();
    println!(
        "{} calls, PCMU with {}",
        load.calls,
        load.other.encoding_name()
    );
    for (name, micros) in [("media engine", ours), ("plain relay", theirs)] {
        let (least, median) = least_and_median(micros);
        println!(
            "{name}: {median:.2} µs per packet in and out (median of {ROUNDS}), least {least:.2}"
        );
    }
}

fn engine_turn(load: Load, socket: &UdpSocket) -> f64 {
    let engine = start(usize::from(load.calls) * 2);
    open_calls(&engine, load, socket.local_addr().unwrap());
    let generate = |time| generate(socket, load, ENGINE_PORTS, time);
    generate(WARM_UP);
    let before = engine.stats();
    let received = || engine.stats().received;
    let micros = measure("media-0", received, || generate(load.turn));
    let stats = engine.stats();
    println!(
        "media engine: {} in, {} out, {} late phases, worst {:?}: {micros:.2} µs",
        stats.received - before.received,
        stats.sent - before.sent,
        stats.late_phases,
        stats.worst_lateness,
    );
    micros
}

fn plain_turn(load: Load, socket: &UdpSocket) -> f64 {
    let ports = (0..load.calls).flat_map(|call| [0, 1].map(|side| udp_port(call, side)));
    let ports = ports.map(|offset| PLAIN_PORTS + offset);
    let plain = PlainRelay::start(ports, socket.local_addr().unwrap());
    let generate = |time| generate(socket, load, PLAIN_PORTS, time);
    generate(WARM_UP);
    let micros = measure(
        PlainRelay::THREAD,
        || plain.received(),
        || generate(load.turn),
    );
    println!("plain relay: {micros:.2} µs");
    micros
}

/// CPU time of a thread for each packet it receives meanwhile, microseconds.
fn measure(thread: &str, received: impl Fn() -> u64, load: impl FnOnce()) -> f64 {
    let (cpu, packets) = (cpu_of(thread), received());
    load();
    let (cpu, packets) = (cpu_of(thread) - cpu, received() - packets);
    cpu.as_secs_f64() * 1e6 / packets as f64
}

fn least_and_median(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2])
}

fn swallow(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 1_500];
    while !stop.load(Ordering::Relaxed) {
        while socket.recv(&mut buffer).is_ok() {}
        // Blocking in recv would make each of the relay's sends wake us.
        std::thread::sleep(Duration::from_millis(1));
    }
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

/// The UDP port of the first or second side of a call, counted from the relay's first.
fn udp_port(call: u16, side: u16) -> u16 {
    4 * call + 2 * side
}

fn open_calls(engine: &EngineHandle, load: Load, remote: SocketAddr) {
    let order = |command: MediaCommand| {
        while engine.send(command.clone()).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    for call in 0..load.calls {
        let id = |side: u16| PortId(u64::from(2 * call + side));
        for (side, codec) in [(0, Codec::Pcmu), (1, load.other)] {
            let local = SocketAddr::from(([127, 0, 0, 1], ENGINE_PORTS + udp_port(call, side)));
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
fn generate(socket: &UdpSocket, load: Load, first_port: u16, time: Duration) {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    let mut slot = 0u32;
    while start.elapsed() < time {
        let due = start + Duration::from_millis(1) * slot;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let frame = SEQUENCE.load(Ordering::Relaxed) as u32;
        for call in (0..load.calls).filter(|call| u32::from(*call) % 20 == slot % 20) {
            for (side, codec) in [(0, Codec::Pcmu), (1, load.other)] {
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
                let to = SocketAddr::from(([127, 0, 0, 1], first_port + udp_port(call, side)));
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

/// CPU time of the thread of that name, as the kernel counts it.
fn cpu_of(thread: &str) -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap();
        if name.trim() == thread {
            let times = std::fs::read_to_string(task.join("schedstat")).unwrap();
            let nanos = times.split(' ').next().unwrap().parse().unwrap();
            return Duration::from_nanos(nanos);
        }
    }
    Duration::ZERO
}
