//! Whether anything of a plaintext is left on the server.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use e2e::server::Server;

/// Fewer bytes than this are found by chance.
const FEWEST_BYTES: usize = 6;

/// What must be found nowhere, with a name for the report.
#[derive(Default)]
pub struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// In UTF-8, as hexadecimal digits, and as base64 of both alphabets.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        assert!(
            secret.len() >= FEWEST_BYTES,
            "{name} is too short to look for"
        );
        let forms = [
            secret.to_vec(),
            HEXLOWER.encode(secret).into_bytes(),
            HEXUPPER.encode(secret).into_bytes(),
            BASE64.encode(secret).into_bytes(),
            BASE64_NOPAD.encode(secret).into_bytes(),
            BASE64URL_NOPAD.encode(secret).into_bytes(),
        ];
        for form in forms {
            self.0.push((name.to_owned(), form));
        }
    }

    /// Where any of them is found.
    pub fn found_in(&self, server: &Server) -> Vec<String> {
        let mut found = Vec::new();
        for file in files(&server.data()) {
            let text = std::fs::read(&file).unwrap();
            self.look(&file.display().to_string(), &text, &mut found);
        }
        self.look("the log", server.log().as_bytes(), &mut found);
        found.sort();
        found.dedup();
        found
    }

    fn look(&self, place: &str, text: &[u8], found: &mut Vec<String>) {
        for (name, secret) in &self.0 {
            if contains(text, secret) {
                found.push(format!("{name} is in {place}"));
            }
        }
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            files.extend(self::files(&path));
        } else if kind.is_file() {
            files.push(path);
        }
    }
    files
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some((first, _)) = part.split_first() else {
        return false;
    };
    let mut from = 0;
    while let Some(place) = text[from..].iter().position(|byte| byte == first) {
        if text[from + place..].starts_with(part) {
            return true;
        }
        from += place + 1;
    }
    false
}
