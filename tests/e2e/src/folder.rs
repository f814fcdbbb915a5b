//! A folder that goes away with the test, and what is written into it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder below the system's temporary one. A failed test leaves it for a look.
pub struct Folder(PathBuf);

impl Folder {
    /// A new, empty folder.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "it creates something outside of the program"
    )]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("centralita-e2e-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Left by a process that had the same id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where `name` in it is.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    #[expect(
        clippy::print_stderr,
        reason = "tells where to look after a failed test"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for a look: {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A text with values for its `{{name}}`s.
///
/// # Panics
/// When one has no value.
#[must_use]
pub fn filled_in(text: &str, values: &[(&str, &str)]) -> String {
    let fill = |text: String, (name, value): &(&str, &str)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    };
    let text = values.iter().fold(text.to_owned(), fill);
    assert!(!text.contains("{{"), "a value is missing:\n{text}");
    text
}
