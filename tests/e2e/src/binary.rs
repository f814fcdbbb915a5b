//! The built program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The `centralita` of this build's profile; built once if need be.
///
/// `CENTRALITA_BIN` names another one, for example an installed one, or the one that the whole
/// workspace was built with.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn centralita() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("CENTRALITA_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    // target/PROFILE/deps/TEST
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", "centralita"])
        .args(["--bin", "centralita", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .arg("--target-dir")
        .arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the program does not build");
    profile.join("centralita")
}
