//! Runs the readers in Python and JavaScript that were written from `docs/protocol/`.

#![allow(dead_code, reason = "each test uses a part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Starts a script, to talk with.
pub fn start(script: &str, arguments: &[&str]) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    Command::new(python())
        .arg("-B")
        .arg(folder.join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a script on `input` to its end.
pub fn run(script: &str, arguments: &[&str], input: &[u8]) -> Output {
    end(start(script, arguments), input)
}

fn end(mut child: Child, input: &[u8]) -> Output {
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A script that refuses its arguments does not read its input.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    })
}

/// What the script answers to `request`, or the sentence with which it refuses.
pub fn ask(script: &str, request: &Value) -> Result<Value, String> {
    answer(run(script, &[], request.to_string().as_bytes()))
}

/// As [`ask`], of a script in JavaScript.
pub fn ask_node(script: &str, action: &str, facts: &Value) -> Result<Value, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    assert!(
        folder.join("node_modules").exists(),
        "no node_modules: run scripts/setup-tests"
    );
    let child = Command::new("node")
        .arg(folder.join(script))
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    answer(end(child, facts.to_string().as_bytes()))
}

fn answer(output: Output) -> Result<Value, String> {
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap().trim().to_owned()),
    }
}

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digits = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes();
    let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder =
        std::env::var_os("CENTRALITA_TEST_VENV").map_or_else(|| root.join(".venv"), PathBuf::from);
    let python = folder.join("bin/python");
    assert!(
        python.exists(),
        "the tests need a Python environment at {}: run scripts/setup-tests",
        folder.display()
    );
    python
}
