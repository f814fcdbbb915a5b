//! Where a fuzzer starts: genuine messages.

use std::path::Path;

/// Writes them to the corpus that the environment names.
pub fn write<'a>(seeds: impl IntoIterator<Item = &'a [u8]>) {
    let Ok(folder) = std::env::var("CENTRALITA_FUZZ_CORPUS") else {
        return;
    };
    for (place, seed) in seeds.into_iter().enumerate() {
        let path = Path::new(&folder).join(format!("genuine-{place:02}"));
        std::fs::write(path, seed).expect("the corpus can be written");
    }
}
