//! `cargo xtask bench`: what a call costs, beside Asterisk doing the same.
//!
//! Both servers run on core 0, everything that calls and rings on core 1, and
//! they take turns, so that whatever else the machine does hits both. What is
//! compared is CPU time; nothing fails because a figure is bad.

mod asterisk;
mod centralita;
mod plan;
mod process;
mod sipp;
mod together;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use plan::SINGLES;
use process::{LOAD_CORE, Server};
use sipp::{Load, Sipp};
use together::Ring;

const ROUNDS: usize = 3;
const SIGNALLING: Load = Load {
    scenario: "caller.xml",
    calls: 1_000,
    rate_per_s: 100,
    hold_ms: 100,
};
const WARM_UP: Load = Load {
    scenario: "caller.xml",
    calls: 50,
    rate_per_s: 20,
    hold_ms: 100,
};
/// Calls that talk at the same time.
const TALKING: usize = 100;
const TALKING_PER_S: usize = 25;
const TALK: Duration = Duration::from_secs(6);
/// From the last caller's INVITE to when all calls talk.
const SETTLE: Duration = Duration::from_secs(2);
const RINGS_PER_ROUND: usize = 5;

/// What one server did, one value for each round.
#[derive(Default)]
struct Figures {
    signalling_ms: Vec<f64>,
    talking_ms: Vec<f64>,
    memory_kib: Vec<f64>,
    ringing_ms: Vec<f64>,
    cancelled_ms: Vec<f64>,
}

/// A server and where it listens.
struct Contender {
    name: &'static str,
    address: Ipv4Addr,
    server: Server,
    figures: Figures,
}

/// Measures and prints.
pub fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("no workspace")?;
    let folder = Folder::new()?;
    let me = std::process::id().to_string();
    process::run(Command::new("taskset").args(["-a", "-p", "-c", LOAD_CORE, &me]))?;
    let sipp = Sipp::new(&root.join("tests/load"), &folder.0)?;
    println!("Building and starting centralita, and registering its phones …");
    let mut contenders = vec![Contender {
        name: "centralita",
        address: centralita::ADDRESS,
        server: centralita::start(root, &folder.0, &sipp)?,
        figures: Figures::default(),
    }];
    match asterisk::start(root, &folder.0) {
        Ok(server) => contenders.push(Contender {
            name: "asterisk",
            address: asterisk::ADDRESS,
            server,
            figures: Figures::default(),
        }),
        Err(reason) => println!("Without a comparison: {reason}."),
    }
    for contender in &mut contenders {
        calls(&sipp, contender, &WARM_UP)?;
    }
    for round in 1..=ROUNDS {
        for contender in &mut contenders {
            println!("Round {round} of {ROUNDS}: {} …", contender.name);
            contender.talk(&sipp)?;
            contender.signal(&sipp)?;
            contender.ring()?;
            contender.print_last();
        }
    }
    print_table(&contenders);
    Ok(())
}

impl Contender {
    fn signal(&mut self, sipp: &Sipp) -> Result<(), String> {
        let before = self.server.cpu()?;
        let done = calls(sipp, self, &SIGNALLING)?;
        let used = self.server.cpu()? - before;
        self.figures.signalling_ms.push(ms(used) / f64::from(done));
        Ok(())
    }

    /// CPU while all talk; memory before the first call and while all talk.
    fn talk(&mut self, sipp: &Sipp) -> Result<(), String> {
        let memory = self.server.resident_kib()?;
        let ramp = Duration::from_secs((TALKING / TALKING_PER_S) as u64) + SETTLE;
        let load = Load {
            scenario: "caller_talks.xml",
            calls: TALKING,
            rate_per_s: TALKING_PER_S,
            hold_ms: u64::try_from((ramp + TALK + SETTLE).as_millis()).unwrap_or(u64::MAX),
        };
        let _phones = sipp.phones()?;
        let callers = sipp.callers(self.address, &load)?;
        std::thread::sleep(ramp);
        let (from, before) = (Instant::now(), self.server.cpu()?);
        std::thread::sleep(TALK);
        let used = self.server.cpu()? - before;
        let call_seconds = from.elapsed().as_secs_f64() * count(TALKING);
        let grown = self.server.resident_kib()? - memory;
        self.note(callers.finish()?);
        self.figures.talking_ms.push(ms(used) / call_seconds);
        self.figures.memory_kib.push(grown / count(TALKING));
        Ok(())
    }

    fn ring(&mut self) -> Result<(), String> {
        let mut ring = Ring::new(self.address)?;
        for _ in 0..RINGS_PER_ROUND {
            let timing = ring.measure()?;
            self.figures.ringing_ms.push(ms(timing.ringing));
            self.figures.cancelled_ms.push(ms(timing.cancelled));
        }
        Ok(())
    }

    fn print_last(&self) {
        let last = |values: &[f64]| values.last().copied().unwrap_or(f64::NAN);
        println!(
            "  {:.3} ms a call, {:.3} ms a second of talk, {:.1} KiB a call, ringing {:.2} ms, cancelled {:.2} ms",
            last(&self.figures.signalling_ms),
            last(&self.figures.talking_ms),
            last(&self.figures.memory_kib),
            last(&self.figures.ringing_ms),
            last(&self.figures.cancelled_ms),
        );
    }

    fn note(&self, (done, failed): (u32, u32)) {
        if failed > 0 {
            println!(
                "  {}: {failed} of {} calls failed",
                self.name,
                done + failed
            );
        }
    }
}

/// Calls one after the other; how many went through.
fn calls(sipp: &Sipp, contender: &Contender, load: &Load) -> Result<u32, String> {
    let _phones = sipp.phones()?;
    let (done, failed) = sipp.callers(contender.address, load)?.finish()?;
    contender.note((done, failed));
    if done == 0 {
        return Err(format!("no call through {} went well", contender.name));
    }
    Ok(done)
}

fn print_table(contenders: &[Contender]) {
    type Row = (&'static str, fn(&Figures) -> f64);
    let rows: [Row; 5] = [
        ("CPU per two-leg call, ms", |it| median(&it.signalling_ms)),
        ("CPU per second of bridged G.711, ms", |it| {
            median(&it.talking_ms)
        }),
        ("memory per live call, first round, KiB", |it| {
            it.memory_kib.first().copied().unwrap_or(f64::NAN)
        }),
        ("INVITE in to last of 100 INVITEs out, ms", |it| {
            median(&it.ringing_ms)
        }),
        ("200 in to last of 99 CANCELs out, ms", |it| {
            median(&it.cancelled_ms)
        }),
    ];
    print!("\n{:42}", "");
    for contender in contenders {
        print!("{:>12}", contender.name);
    }
    println!("{:>12}", if contenders.len() > 1 { "ratio" } else { "" });
    for (name, figure) in rows {
        let values: Vec<f64> = contenders.iter().map(|it| figure(&it.figures)).collect();
        print!("{name:42}");
        for value in &values {
            print!("{value:12.3}");
        }
        match values.as_slice() {
            [ours, theirs, ..] => println!("{:12.2}", ours / theirs),
            _ => println!(),
        }
    }
    println!("\nMedians of {ROUNDS} rounds; ratio: ours divided by theirs.");
    println!(
        "{SINGLES} phones with a number each, {TALKING} calls at once in the second and third line."
    );
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("centralita-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is in it explains a failure.
        if !std::thread::panicking() && std::env::var_os("BENCH_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
