//! `cargo xtask fuzz`: libFuzzer, with the stable compiler.
//!
//! Rust's front end for it, cargo-fuzz, wants the nightly compiler for AddressSanitizer, which
//! watches `unsafe` code; ours has none. What libFuzzer itself needs, counters in the code, every
//! compiler puts there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "usage: cargo xtask fuzz [target [seconds | file]]";
/// How long a target runs when nothing else is said.
const DEFAULT_S: u32 = 60;
/// The longest input, in bytes; the genuine messages have at most half of it.
const MAX_INPUT_BYTES: u32 = 8_192;
/// Of one input.
const TIMEOUT_S: u32 = 10;
/// What libFuzzer wants in the code: counters at each edge, and the operands of comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Ccodegen-units=1 --cfg fuzzing";

/// Runs all targets, or the one that is named: for so many seconds, or once with the input of a
/// file.
pub fn run() -> Result<(), String> {
    let known = targets()?;
    let mut arguments = std::env::args().skip(2);
    let wanted = arguments.next();
    let how = arguments.next();
    if arguments.next().is_some() {
        return Err(USAGE.to_owned());
    }
    let chosen = match wanted {
        None => known,
        Some(name) if known.contains(&name) => vec![name],
        Some(_) => return Err(format!("{USAGE}\ntargets: {}", known.join(", "))),
    };
    chosen
        .iter()
        .try_for_each(|target| run_target(target, how.as_deref()))
}

fn targets() -> Result<Vec<String>, String> {
    let files = fs::read_dir("fuzz/fuzz_targets");
    let files = files.map_err(|error| format!("fuzz/fuzz_targets: {error}"))?;
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let names = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn run_target(target: &str, how: Option<&str>) -> Result<(), String> {
    let program = build(target)?;
    let mut command = Command::new(program);
    command.arg(format!("-timeout={TIMEOUT_S}"));
    let seconds = how.map_or(Ok(DEFAULT_S), str::parse);
    match (seconds, how) {
        (Err(_), Some(file)) => {
            command.arg(file);
        }
        (seconds, _) => {
            let [corpus, artifacts] =
                ["corpus", "artifacts"].map(|kind| Path::new("fuzz").join(kind).join(target));
            for folder in [&corpus, &artifacts] {
                fs::create_dir_all(folder)
                    .map_err(|error| format!("{}: {error}", folder.display()))?;
            }
            let seconds = seconds.unwrap_or(DEFAULT_S);
            command
                .env("CENTRALITA_FUZZ_CORPUS", &corpus)
                .arg(format!("-max_total_time={seconds}"))
                .arg(format!("-max_len={MAX_INPUT_BYTES}"))
                .arg(format!("-artifact_prefix={}/", artifacts.display()))
                .arg("-print_final_stats=1")
                .arg(corpus);
        }
    }
    let status = command
        .status()
        .map_err(|error| format!("{target}: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!(
            "{target} failed; its input is above, and runs again by \
             `cargo xtask fuzz {target} FILE`"
        )),
    }
}

/// Builds a target; gives the program.
fn build(target: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let folder = folder.join("fuzz");
    let host = host()?;
    // With a target the flags are not for build scripts, which run without libFuzzer.
    let status = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--release", "--target", &host])
        .args(["--manifest-path", "fuzz/Cargo.toml", "--bin", target])
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", COVERAGE)
        .status()
        .map_err(|error| format!("cargo build: {error}"))?;
    match status.success() {
        true => Ok(folder.join(host).join("release").join(target)),
        false => Err(format!("{target} does not build")),
    }
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or("rustc has no host".to_owned())
}
