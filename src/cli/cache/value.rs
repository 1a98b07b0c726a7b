//! The value that `aside cache set` is given.

use std::io::{Read, stdin};

use bytes::Bytes;

use crate::cli::command::{Failed, Result};

/// The longest value, in bytes. memcached's own limit of 1 MiB counts the key and its header, too; past that, it
/// refuses the new value and removes the old one.
const VALUE_BYTES_MAX: usize = 1_000_000;

/// The argument where the value is on standard input: Linux takes no argument of more than 128 KiB.
const STANDARD_INPUT: &str = "-";

/// The value itself, wherever it is. No more is read of it than shows that it is too long.
pub(super) fn given(argument: String) -> Result<Bytes> {
    let value = if argument == STANDARD_INPUT { read()? } else { argument.into_bytes() };
    // An empty value is a placeholder: it would make every reader wait for a load that nobody makes.
    if (1..=VALUE_BYTES_MAX).contains(&value.len()) {
        return Ok(value.into());
    }
    let length = if value.is_empty() { "0" } else { "too many" };
    Err(Failed::Refused(format!(
        "invalid value of {length} bytes for '<VALUE>': it takes 1 to {VALUE_BYTES_MAX} bytes"
    )))
}

fn read() -> Result<Vec<u8>, Failed> {
    let mut value = Vec::new();
    let read = stdin().lock().take(VALUE_BYTES_MAX as u64 + 1).read_to_end(&mut value);
    let why = |error| Failed::Failure(format!("standard input can't be read: {error}"));
    read.map(|_| value).map_err(why)
}
