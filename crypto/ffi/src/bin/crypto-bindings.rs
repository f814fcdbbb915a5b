//! Writes the sources for other languages; scripts/build-ffi runs it.

fn main() {
    uniffi::uniffi_bindgen_main();
}
