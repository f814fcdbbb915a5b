//! Has this crate compiled anew once there is a panel, where it was compiled without one.
//!
//! Cargo would not notice otherwise: the files of a panel that is there are followed one by one,
//! and where there is none there is nothing to follow.

use std::path::Path;

const PAGE: &str = "../panel/dist/index.html";

fn main() {
    let followed = if Path::new(PAGE).exists() {
        "build.rs"
    } else {
        PAGE
    };
    println!("cargo::rerun-if-changed={followed}");
}
