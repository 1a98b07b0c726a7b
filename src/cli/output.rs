//! The output of a command: to standard output what was asked for, to standard error why it came to nothing.

use std::io::{self, ErrorKind, Write, stderr, stdout};

use crate::escape::Escaped;

/// Exit status when a setting is refused.
pub(super) const REFUSED: u8 = 2;

/// Standard output can't be written, though somebody is there to read it: a full disk, for one.
#[derive(Debug, thiserror::Error)]
#[error("standard output can't be written: {0}")]
pub(super) struct Unwritten(#[from] pub(super) io::Error);

/// Prints `text` to standard output, all of it before this returns. A reader that has gone away is no error of ours.
///
/// # Errors
/// [`Unwritten`].
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<(), Unwritten> {
    let mut out = stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Unwritten(error)),
        _ => Ok(()),
    }
}

/// Says on standard error what is wrong, in one line. Where that can't be written nobody can be told so, and what
/// has been done stays done: the exit status says whether it was.
pub(super) fn complain(why: &str) {
    // It may repeat what came from outside.
    let _ = writeln!(stderr(), "error: {}", Escaped(why));
}
