//! `wasm-build INPUT.wasm OUTPUT_FOLDER`: writes the module and its JavaScript
//! and TypeScript for browsers. Node loads the same files with `initSync`.

use std::env::args_os;
use std::path::PathBuf;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = &paths[..] else {
        eprintln!("usage: wasm-build INPUT.wasm OUTPUT_FOLDER");
        return ExitCode::FAILURE;
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).typescript(true);
    bindgen
        .remove_name_section(true)
        .remove_producers_section(true);
    let made = bindgen
        .web(true)
        .and_then(|bindgen| bindgen.generate(output));
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", input.display());
            ExitCode::FAILURE
        }
    }
}
