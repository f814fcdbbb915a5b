//! Chores of the workspace: `cargo xtask check`, `cargo xtask bench`.

mod bench;
mod check;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let result = match task.as_str() {
        "bench" => bench::run(),
        "check" => check::run(),
        _ => Err("usage: cargo xtask check | bench".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::FAILURE
        }
    }
}
