//! A box whose log nobody takes: the telephone does not depend on it.

use std::io::Read;
use std::process::Stdio;

use crate::installed::{Installed, calls, eventually, text};

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_when_the_log_cannot_be_written() {
    let installed = Installed::new("unheard", 45_000);
    let data = installed.at("data");
    installed.run(&data, &["apply", &text(&installed.hotline_file())]);
    // As a file on a disk that is full.
    let full = std::fs::File::options().write(true).open("/dev/full");
    let full = full.unwrap();
    let out = full.try_clone().unwrap();
    let server = installed
        .serve_into(&data, Stdio::from(out), Stdio::from(full))
        .await;
    server.call_in_vain().await;
    eventually("the call", || calls(&installed, &data) == 1).await;
    server.stop();

    // As a program that collected the log, and ended.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let server = installed
        .serve_into(&data, Stdio::null(), Stdio::from(writer))
        .await;
    assert_ne!(reader.read(&mut [0; 1]).unwrap(), 0, "it logs");
    drop(reader);
    server.call_in_vain().await;
    eventually("the call", || calls(&installed, &data) == 2).await;
    server.stop();
}
