//! Chores of the workspace: `cargo xtask check`, `cargo xtask bench`, `cargo xtask fuzz`.

mod bench;
mod check;
mod fuzz;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let result = match task.as_str() {
        "bench" => bench::run(),
        "check" => check::run(),
        "fuzz" => fuzz::run(),
        _ => Err("usage: cargo xtask check | bench | fuzz".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::FAILURE
        }
    }
}
