//! A program that runs beside the box and tells what it does on its output.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::eventually;

const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A running program with all processes that it starts.
pub struct Peer {
    name: String,
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Peer {
    /// Starts it in a process group of its own, so that none of its children outlives it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let said: Arc<Mutex<String>> = Arc::default();
        collect(child.stdout.take().unwrap(), Arc::clone(&said));
        collect(child.stderr.take().unwrap(), Arc::clone(&said));
        Self {
            name: name.to_owned(),
            child,
            said,
        }
    }

    /// Everything it has said.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// How often it has said `text`.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.said.lock().unwrap().matches(text).count()
    }

    /// Waits until it has said `text` so many times.
    ///
    /// # Panics
    /// When it ends before, or does not say it within that time.
    pub fn wait_says(&mut self, text: &str, count: usize, within: Duration) {
        let what = format!("{} to say {text:?}, {count} times", self.name);
        eventually(&what, within, || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended: {}", self.name, self.said());
            (self.count(text) >= count).then_some(())
        });
    }

    /// Types a line.
    pub fn order(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// `SIGTERM`, and waits until it is gone.
    pub fn terminate(&mut self) {
        self.signal("TERM");
        let child = &mut self.child;
        let what = format!("{} to end", self.name);
        eventually(&what, STOP_WITHIN, || child.try_wait().unwrap());
    }

    fn signal(&self, signal: &str) {
        // A group without a process left is as good.
        let _ = Command::new("kill")
            .args([
                &format!("-{signal}"),
                "--",
                &format!("-{}", self.child.id()),
            ])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Peer {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows what its peers said"
    )]
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{} said:\n{}", self.name, self.said());
        }
    }
}

fn collect(mut output: impl Read + Send + 'static, said: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        // Not by lines: a prompt ends in none.
        let mut part = [0; 4_096];
        while let Ok(length @ 1..) = output.read(&mut part) {
            said.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&part[..length]));
        }
    });
}
