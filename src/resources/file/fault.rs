//! Faults of the file, and where they stand.

use std::{fmt, ops::Range, sync::Arc};

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    file: Arc<str>,
    /// 0 for the whole of it.
    line: usize,
}

/// A fault of the file: one line that says where, what was read, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct Fault {
    at: At,
    why: String,
}

impl At {
    /// Refuses what stands here.
    pub fn fault(&self, why: impl fmt::Display) -> Fault {
        Fault { at: self.clone(), why: why.to_string().replace(char::is_control, " ") }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// The text of the file, as far as places in it are concerned.
pub(super) struct Places<'a> {
    name: Arc<str>,
    text: &'a str,
}

impl<'a> Places<'a> {
    pub(super) fn of(name: &str, text: &'a str) -> Self {
        Self { name: name.into(), text }
    }

    /// All of the file `name`.
    pub(super) fn whole(name: &str) -> At {
        At { file: name.into(), line: 0 }
    }

    /// The text of the line in which these bytes begin.
    pub(super) fn line(&self, span: &Range<usize>) -> &'a str {
        let (before, after) = self.text.split_at_checked(span.start).unwrap_or((self.text, ""));
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let end = before.len() + after.find('\n').unwrap_or(after.len());
        self.text.get(begin..end).unwrap_or_default().trim()
    }

    /// The line in which these bytes begin.
    pub(super) fn at(&self, span: Range<usize>) -> At {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        At { file: self.name.clone(), line: before.matches('\n').count() + 1 }
    }
}
