//! What is wrong with a hotline file, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be applied.
    Error,
    /// It can, but probably not everything works as meant.
    Warning,
}

/// One thing wrong, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong. What to do.
    pub sentence: String,
}

/// Everything wrong with a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(
                f,
                "{}:{}:{}: ",
                self.file.display(),
                problem.line,
                problem.column
            )?;
            if problem.severity == Severity::Warning {
                f.write_str("warning: ")?;
            }
            f.write_str(&problem.sentence)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// Collects problems while a text is read.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    /// Notes what makes the file unusable.
    pub(super) fn error(&mut self, span: Range<usize>, sentence: impl Into<String>) {
        self.note(Severity::Error, span, sentence.into());
    }

    /// Notes what may be a mistake.
    pub(super) fn warn(&mut self, span: Range<usize>, sentence: impl Into<String>) {
        self.note(Severity::Warning, span, sentence.into());
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(|p| p.severity == Severity::Error)
    }

    /// The report about `file`.
    pub(super) fn into_report(mut self, file: &Path) -> Report {
        self.found.sort_by_key(|p| (p.line, p.column));
        Report {
            file: file.to_path_buf(),
            problems: self.found,
        }
    }

    /// Line and column of a byte offset, both from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or("");
        (line, last.chars().count() + 1)
    }

    fn note(&mut self, severity: Severity, span: Range<usize>, sentence: String) {
        let (line, column) = self.place(span.start);
        self.found.push(Problem {
            severity,
            line,
            column,
            sentence,
        });
    }
}
