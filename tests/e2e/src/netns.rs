//! A network namespace: a place for programs that listen at every address of their machine.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Set to something, it lets the tests that need one be left out.
const WITHOUT: &str = "CENTRALITA_E2E_WITHOUT_NETNS";
/// Networks of four addresses in 10.213.0.0/16.
const NETWORKS: u32 = 256 * 64;
const TRIES: u32 = 50;

/// A namespace with one cable to this machine.
pub struct Namespace {
    name: String,
    outside: Ipv4Addr,
    inside: Ipv4Addr,
}

impl Namespace {
    /// Makes one. `None`, told, where that is not permitted and somebody wants to do without.
    ///
    /// # Panics
    /// When it is not permitted.
    #[must_use]
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut why = String::new();
        for _ in 0..TRIES {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let network = (std::process::id().wrapping_mul(61) + count) % NETWORKS;
            let [_, _, high, low] = (network * 4).to_be_bytes();
            let new = Self {
                name: format!("e2e-{network}"),
                outside: Ipv4Addr::new(10, 213, high, low + 1),
                inside: Ipv4Addr::new(10, 213, high, low + 2),
            };
            match new.make() {
                Ok(()) => return Some(new),
                Err(error) => why = error,
            }
        }
        let why = format!("network namespaces need root and iproute2 ({why})");
        crate::do_without(WITHOUT, &why)
    }

    /// The address of this machine, as seen from within.
    #[must_use]
    pub fn outside(&self) -> IpAddr {
        self.outside.into()
    }

    /// The address of the namespace.
    #[must_use]
    pub fn inside(&self) -> IpAddr {
        self.inside.into()
    }

    /// A program to be run within.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    fn make(&self) -> Result<(), String> {
        let Self {
            name,
            outside,
            inside,
        } = self;
        // Taken by another process if it fails; then there is nothing to take down.
        ip(&format!("netns add {name}"))?;
        let near = format!("{name}n");
        let steps = [
            format!("link add {near} type veth peer name far netns {name}"),
            format!("addr add {outside}/30 dev {near}"),
            format!("link set {near} up"),
            format!("-n {name} addr add {inside}/30 dev far"),
            format!("-n {name} link set far up"),
            format!("-n {name} link set lo up"),
            // Programs look for one to tell whether there is a network.
            format!("-n {name} route add default via {outside}"),
        ];
        steps
            .iter()
            .try_for_each(|step| ip(step))
            .inspect_err(|_| self.remove())
    }

    fn remove(&self) {
        // The cable goes with it.
        let _ = ip(&format!("netns del {}", self.name));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {arguments}: {}", said.trim()))
}
