//! The answers that the edge gives itself, before any handler: RFC 9457 problems, like all errors of the service.

use axum::{
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONNECTION},
    },
    response::{IntoResponse, Response},
};
use memchr::memmem;

use crate::{
    problem::{NO_STORE, details},
    problems,
};

problems! {
    /// The reason for which the edge refuses a request.
    #[derive(Copy)]
    Refusal {
        BareLineFeed = BAD_REQUEST, "A line ends in LF without CR.";
        FoldedLine = BAD_REQUEST, "A header field is folded over two lines.";
        HostMissing = BAD_REQUEST, "The Host field is missing.";
        HostRepeated = BAD_REQUEST, "There is more than one Host field.";
        HostInvalid = BAD_REQUEST, "The host is not a name or an address, with a port or without.";
        LengthInvalid = BAD_REQUEST, "Content-Length is not a number.";
        LengthAmbiguous = BAD_REQUEST, "The length of the body is given more than once.";
        ChunkInvalid = BAD_REQUEST, "The chunks of the body are malformed.";
        Malformed = BAD_REQUEST, "The request is malformed.";
        BodyMalformed = BAD_REQUEST, "The body of the request is malformed.";
        BodyTooSlow = REQUEST_TIMEOUT, "The body of the request came too slowly.";
        BodyTooLarge = PAYLOAD_TOO_LARGE, "The body of the request is too large.";
        PathTooLong = URI_TOO_LONG, "The path is too long.";
        HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.";
        CodingUnknown = NOT_IMPLEMENTED, "Only the transfer coding chunked is understood.";
        TooManyConnections = SERVICE_UNAVAILABLE,
            "Too many connections are open, of all or of this address.";
    }
}

impl Refusal {
    /// The whole answer as it is sent. `more` is the rest of its head, with the empty line that ends it.
    pub(super) fn bytes(self, more: &[u8]) -> Vec<u8> {
        let status = self.status();
        // A problem of two strings and a number always serialises.
        let body = serde_json::to_vec(&details(status, self.to_string())).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
             content-length: {}\r\n",
            body.len()
        );
        [head.as_bytes(), more, &body].concat()
    }

    /// The answer to a request whose body will not be read to its end, which ends the connection.
    pub(super) fn answer(self) -> Response {
        let close = (CONNECTION, HeaderValue::from_static("close"));
        let details = details(self.status(), self.to_string());
        ([close, (CACHE_CONTROL, NO_STORE)], details).into_response()
    }
}

/// The bytes to send in place of `bytes`, if those are hyper's own answer to a request that it could not parse: the
/// same with a problem for a body. `refusal` is the guard's reason, if it made hyper answer.
///
/// hyper writes these answers itself, with no body, past every layer and handler. They are always at the start of a
/// write, unless they share it with an earlier answer that has no body; then they stay as they are.
pub(super) fn instead_of(bytes: &[u8], refusal: Option<Refusal>) -> Option<Vec<u8>> {
    // Nearly every answer ends here.
    let status = bytes.strip_prefix(b"HTTP/1.")?.get(2..5).filter(|status| status[0] == b'4')?;
    let of_hyper = match status {
        b"400" => Refusal::Malformed,
        b"414" => Refusal::PathTooLong,
        b"431" => Refusal::HeadTooLarge,
        _ => return None,
    };
    const EMPTY_AND_CLOSING: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\n";
    let status_line_end = memmem::find(bytes, b"\r\n")?;
    let date = bytes[status_line_end..].strip_prefix(EMPTY_AND_CLOSING)?;
    Some(refusal.unwrap_or(of_hyper).bytes(&[b"connection: close\r\n", date].concat()))
}
