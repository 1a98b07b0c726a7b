//! The lines of one request head, as far as they tell where the request ends and for whom it is.
//!
//! Only three fields matter here. If a line is a well-formed field at all is hyper's to say, and it does.

use std::mem;

use super::{
    host::{is_valid_field, is_valid_target},
    refusal::Refusal,
};

/// A part of a request; its data is the rest of a body, or of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Data { bytes_left: u64, is_chunk: bool },
    ChunkSize,
    ChunkEnd,
    Trailers,
}

/// The lines of one head so far.
#[derive(Debug, Default)]
pub(super) struct Head {
    request_line_seen: bool,
    must_name_host: bool,
    host_seen: bool,
    /// The field `Host` as the connection had it last, which is mostly how it has it always.
    known_host: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
}

impl Head {
    /// Takes the next line, without its line end. The empty line at the end of the head returns the part that follows,
    /// and the next head begins.
    ///
    /// # Errors
    /// Refuses what RFC 9112 tells a server to refuse, or lets it refuse, because another parser may read it otherwise.
    pub(super) fn take_line(&mut self, line: &[u8]) -> Result<Option<Part>, Refusal> {
        if self.request_line_seen {
            if line.is_empty() {
                let known_host = mem::take(&mut self.known_host);
                let head = mem::replace(self, Self { known_host, ..Self::default() });
                return head.next_part().map(Some);
            }
            self.take_field(line)?;
        } else if !line.is_empty() {
            // Empty lines before the request line are allowed, and skipped by hyper.
            self.request_line_seen = true;
            self.must_name_host = line.ends_with(b" HTTP/1.1");
            if !is_valid_target(line) {
                return Err(Refusal::HostInvalid);
            }
        }
        Ok(None)
    }

    fn take_field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        // Most fields differ from the three in their first letter, and cost no more than looking at it.
        match line[0].to_ascii_lowercase() {
            b'h' => match value(line, b"host") {
                Some(_) if self.host_seen => return Err(Refusal::HostRepeated),
                Some(host) if host == self.known_host => self.host_seen = true,
                Some(host) if !is_valid_field(host) => return Err(Refusal::HostInvalid),
                Some(host) => {
                    self.host_seen = true;
                    self.known_host = host.to_vec();
                }
                None => {}
            },
            b'c' => match value(line, b"content-length") {
                Some(_) if self.length.is_some() => return Err(Refusal::LengthAmbiguous),
                Some(digits) => {
                    // The two largest numbers mean something else to hyper, and no body is that long.
                    let length = number(digits, 10).filter(|length| *length < u64::MAX - 1);
                    self.length = Some(length.ok_or(Refusal::LengthInvalid)?);
                }
                None => {}
            },
            b't' => match value(line, b"transfer-encoding") {
                Some(_) if self.chunked => return Err(Refusal::LengthAmbiguous),
                Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => self.chunked = true,
                Some(_) => return Err(Refusal::CodingUnknown),
                None => {}
            },
            b' ' | b'\t' => return Err(Refusal::FoldedLine),
            _ => {}
        }
        Ok(())
    }

    fn next_part(&self) -> Result<Part, Refusal> {
        if self.must_name_host && !self.host_seen {
            return Err(Refusal::HostMissing);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Refusal::LengthAmbiguous),
            (None, true) => Ok(Part::ChunkSize),
            (None | Some(0), false) => Ok(Part::Head),
            (Some(bytes_left), false) => Ok(Part::Data { bytes_left, is_chunk: false }),
        }
    }
}

/// The value of `line` if it is the field `name` (in lower case).
fn value<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// A number of digits alone: `from_str_radix` would also take a plus sign.
pub(super) fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, radix).ok()
}
