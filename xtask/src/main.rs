//! Chores of the workspace: `cargo xtask check`, `cargo xtask bench`.

mod check;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let result = match task.as_str() {
        "check" => check::run(),
        _ => Err("usage: cargo xtask check".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::FAILURE
        }
    }
}
