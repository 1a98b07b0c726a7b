//! Follows the bytes that a connection sends, and stops at framing that two parsers could read in two ways.
//!
//! hyper takes a bare LF for a line end, two `Host` fields, none, and `Content-Length` beside `Transfer-Encoding`.
//! A proxy in front may take the same bytes for something else, and then the two disagree where a request ends.
//! The guard parses no more than it needs to know which bytes are lines and which are a body: it accepts a subset of
//! what hyper accepts, so that the two always agree about that.

use memchr::memchr;

use super::{
    fields::{Head, Part, number},
    refusal::Refusal,
};

/// Bytes that cannot be let through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// Bytes of the inspected slice before the line (or the part of it) that is at fault.
    pub(super) offset: usize,
    pub(super) refusal: Refusal,
    /// True if it is in the body of a request whose head was let through.
    pub(super) in_body: bool,
}

/// The state of one connection's requests.
#[derive(Debug)]
pub(super) struct HeadGuard {
    /// The part that the next byte belongs to.
    part: Part,
    head: Head,
    /// The beginning of a line whose end has not arrived. Empty, and without an allocation, as long as no line is cut.
    line: Vec<u8>,
    /// Bytes of the head, of the chunk's lines or of the trailers so far.
    part_bytes: usize,
    part_bytes_max: usize,
}

impl HeadGuard {
    /// A guard that refuses a head of more than `head_bytes_max` bytes, and such lines of chunked framing.
    pub(super) fn new(head_bytes_max: usize) -> Self {
        Self {
            part: Part::Head,
            head: Head::default(),
            line: Vec::new(),
            part_bytes: 0,
            part_bytes_max: head_bytes_max,
        }
    }

    /// True if every request that began has also ended.
    pub(super) fn is_between_requests(&self) -> bool {
        self.part == Part::Head && self.part_bytes == 0
    }

    /// True if a head has begun that has not ended.
    pub(super) fn is_in_head(&self) -> bool {
        self.part == Part::Head && self.part_bytes > 0
    }

    /// Follows the next bytes of the connection, in slices of any size.
    ///
    /// # Errors
    /// Says where they cannot be let through; nothing may be inspected after that.
    pub(super) fn inspect(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut offset = 0;
        while offset < bytes.len() {
            let rest = &bytes[offset..];
            offset += match self.part {
                Part::Data { bytes_left, is_chunk } => self.skip(rest, bytes_left, is_chunk),
                Part::Head | Part::ChunkSize | Part::ChunkEnd | Part::Trailers => {
                    self.take_until_line_end(rest).map_err(|refusal| Violation {
                        offset,
                        refusal,
                        in_body: self.part != Part::Head,
                    })?
                }
            };
        }
        Ok(())
    }

    /// Passes over data, whatever is in it, and returns how much of it.
    fn skip(&mut self, rest: &[u8], bytes_left: u64, is_chunk: bool) -> usize {
        let taken = usize::try_from(bytes_left).map_or(rest.len(), |left| left.min(rest.len()));
        self.part = match bytes_left - taken as u64 {
            0 if is_chunk => Part::ChunkEnd,
            0 => Part::Head,
            bytes_left => Part::Data { bytes_left, is_chunk },
        };
        taken
    }

    /// Takes a line, or keeps what there is of it, and returns how many bytes that is.
    fn take_until_line_end(&mut self, rest: &[u8]) -> Result<usize, Refusal> {
        let line_end = memchr(b'\n', rest);
        let taken = line_end.map_or(rest.len(), |end| end + 1);
        self.part_bytes += taken;
        if self.part_bytes > self.part_bytes_max {
            return Err(Refusal::HeadTooLarge);
        }
        match line_end {
            Some(end) if self.line.is_empty() => self.take_line(&rest[..end])?,
            Some(end) => {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&rest[..end]);
                self.take_line(&line)?;
            }
            None => self.line.extend_from_slice(rest),
        }
        Ok(taken)
    }

    /// Takes a line without its LF.
    fn take_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let line = line.strip_suffix(b"\r").ok_or(Refusal::BareLineFeed)?;
        let next = match self.part {
            Part::Head => self.head.take_line(line)?,
            Part::ChunkSize => Some(match chunk_size(line).ok_or(Refusal::ChunkInvalid)? {
                0 => Part::Trailers,
                bytes_left => Part::Data { bytes_left, is_chunk: true },
            }),
            Part::ChunkEnd if line.is_empty() => Some(Part::ChunkSize),
            Part::Trailers => line.is_empty().then_some(Part::Head),
            Part::ChunkEnd | Part::Data { .. } => return Err(Refusal::ChunkInvalid),
        };
        if let Some(next) = next {
            self.part = next;
            self.part_bytes = 0;
        }
        Ok(())
    }
}

/// The size in a chunk's first line; an extension after it says nothing to Aside.
fn chunk_size(line: &[u8]) -> Option<u64> {
    number(line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?, 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_BYTES_MAX: usize = 128;

    /// Inspects `bytes` in slices of `slice_bytes`, and returns the first violation's refusal and whether it is in a body.
    fn inspect(bytes: &[u8], slice_bytes: usize) -> Result<HeadGuard, (Refusal, bool)> {
        let mut guard = HeadGuard::new(HEAD_BYTES_MAX);
        for slice in bytes.chunks(slice_bytes) {
            guard.inspect(slice).map_err(|violation| (violation.refusal, violation.in_body))?;
        }
        Ok(guard)
    }

    fn refusal(bytes: &str) -> (Refusal, bool) {
        let whole = inspect(bytes.as_bytes(), usize::MAX).unwrap_err();
        for slice_bytes in 1..bytes.len() {
            assert_eq!(
                inspect(bytes.as_bytes(), slice_bytes).unwrap_err(),
                whole,
                "in slices of {slice_bytes}"
            );
        }
        whole
    }

    fn passes(bytes: &str) {
        for slice_bytes in 1..=bytes.len() {
            let guard = inspect(bytes.as_bytes(), slice_bytes).unwrap();
            assert!(guard.is_between_requests(), "in slices of {slice_bytes}: {guard:?}");
            assert_eq!(guard.line.capacity(), 0);
        }
    }

    #[test]
    fn well_framed_requests_pass_in_slices_of_any_size() {
        passes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        passes("\r\n\r\nGET / HTTP/1.1\r\nhOST:\r\n\r\nGET / HTTP/1.0\r\n\r\n");
        passes(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n\n\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        passes(
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\n\n\n\n\r\nA;x=\"\"\r\n0123456789\r\n0\r\nX: 1\r\n\r\n",
        );
        passes(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Lengthy: x\r\nHosts: b\r\n\r\n",
        );
    }

    #[test]
    fn ambiguous_heads_are_refused_in_slices_of_any_size() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\n";
        for (lines, expected) in [
            ("X: 1\n\r\n", Refusal::BareLineFeed),
            ("\n", Refusal::BareLineFeed),
            (" folded\r\n\r\n", Refusal::FoldedLine),
            ("Host: a\r\n\r\n", Refusal::HostRepeated),
            ("Content-Length: 1\r\ncontent-length: 1\r\n\r\n", Refusal::LengthAmbiguous),
            ("Content-Length: +1\r\n\r\n", Refusal::LengthInvalid),
            ("Content-Length:\r\n\r\n", Refusal::LengthInvalid),
            ("Content-Length: 18446744073709551616\r\n\r\n", Refusal::LengthInvalid),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::LengthAmbiguous),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                Refusal::LengthAmbiguous,
            ),
            ("Transfer-Encoding: gzip, chunked\r\n\r\n", Refusal::CodingUnknown),
        ] {
            assert_eq!(refusal(&format!("{head}{lines}")), (expected, false), "{lines:?}");
        }
        assert_eq!(refusal("GET / HTTP/1.1\r\nX: 1\r\n\r\n"), (Refusal::HostMissing, false));
        assert_eq!(refusal("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), (Refusal::BareLineFeed, false));
        assert_eq!(
            refusal(&format!("{head}X: {}", "x".repeat(HEAD_BYTES_MAX))),
            (Refusal::HeadTooLarge, false)
        );
        assert_eq!(refusal(&"\r\n".repeat(HEAD_BYTES_MAX)), (Refusal::HeadTooLarge, false));
    }

    #[test]
    fn ambiguous_chunks_are_refused_in_slices_of_any_size() {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (body, expected) in [
            ("3\nabc\r\n", Refusal::BareLineFeed),
            ("3\r\nabc\n", Refusal::BareLineFeed),
            ("3\r\nabcd\r\n", Refusal::ChunkInvalid),
            ("\r\n", Refusal::ChunkInvalid),
            ("+3\r\n", Refusal::ChunkInvalid),
            ("10000000000000000\r\n", Refusal::ChunkInvalid),
            ("0\r\nX: 1\n\r\n", Refusal::BareLineFeed),
        ] {
            assert_eq!(refusal(&format!("{head}{body}")), (expected, true), "{body:?}");
        }
    }

    #[test]
    fn a_violation_is_placed_at_the_line_that_is_at_fault() {
        let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let violation = HeadGuard::new(HEAD_BYTES_MAX)
            .inspect(format!("{good}GET /\n").as_bytes())
            .unwrap_err();
        assert_eq!(violation.offset, good.len());
    }
}
