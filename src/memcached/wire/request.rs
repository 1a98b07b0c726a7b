//! The changes of one round trip, as they are written.

use crate::cache::{Key, Value};

/// Bytes after which a round trip takes no further change; the rest goes with the next, which has a deadline of its
/// own. One change goes in any case.
const BYTES_MAX: usize = 256 << 10;

/// Changes that are sent together, each with a number of its own.
pub(super) struct Request {
    bytes: Vec<u8>,
    asked: Vec<(Key, u64)>,
    number: u64,
}

impl Request {
    /// Of changes whose numbers follow `number`.
    pub(super) fn after(number: u64) -> Self {
        Self { bytes: Vec::new(), asked: Vec::new(), number }
    }

    /// The number of the last change.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_MAX
    }

    /// `md <key> k O<number> [C<cas>]`; with a value `ms <key> <length> k O<number> [C<cas>] T<life> F<flags>`, and it.
    pub(super) fn write(&mut self, key: &Key, cas: Option<u64>, value: Option<&Value>) {
        self.number += 1;
        self.asked.push((key.clone(), self.number));
        let cas = cas.map_or_else(String::new, |cas| format!(" C{cas}"));
        let number = self.number;
        let Some(Value { body, flags, left_s }) = value else {
            self.bytes.extend_from_slice(format!("md {key} k O{number}{cas}\r\n").as_bytes());
            return;
        };
        let length = body.len();
        let line = format!("ms {key} {length} k O{number}{cas} T{left_s} F{flags}\r\n");
        for part in [line.as_bytes(), body, b"\r\n"] {
            self.bytes.extend_from_slice(part);
        }
    }

    /// All that is written, `mn` at its end, and the keys and numbers whose replies must come before that of it.
    pub(super) fn closed(mut self) -> (Vec<u8>, Vec<(Key, u64)>) {
        self.bytes.extend_from_slice(b"mn\r\n");
        (self.bytes, self.asked)
    }
}
