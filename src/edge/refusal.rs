//! The answers that the edge gives itself, before any handler: RFC 9457 problems, like all errors of the service.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderValue};
use axum::response::{IntoResponse, Response};
use memchr::memmem;

use super::problem::{NO_STORE, details};

/// Why a request is refused by its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BareLineFeed,
    FoldedLine,
    HostMissing,
    HostRepeated,
    HostInvalid,
    LengthInvalid,
    LengthAmbiguous,
    CodingUnknown,
    ChunkInvalid,
    HeadTooLarge,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::CodingUnknown => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::BareLineFeed => "A line ends in LF without CR.",
            Self::FoldedLine => "A header field is folded over two lines.",
            Self::HostMissing => "The Host field is missing.",
            Self::HostRepeated => "There is more than one Host field.",
            Self::HostInvalid => "The host is not a name or an address, with a port or without.",
            Self::LengthInvalid => "Content-Length is not a number.",
            Self::LengthAmbiguous => "The length of the body is given more than once.",
            Self::CodingUnknown => "Only the transfer coding chunked is understood.",
            Self::ChunkInvalid => "The chunks of the body are malformed.",
            Self::HeadTooLarge => "The head of the request is too large.",
        }
    }
}

/// A problem that also ends the connection, because the rest of the request will not be read.
pub(super) fn closing_problem(status: StatusCode, detail: &'static str) -> Response {
    let mut response = details(status, detail).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// The whole answer to a connection too many.
pub(super) fn too_many_connections() -> &'static [u8] {
    static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let detail = "Too many connections are open, of all or of this address.";
        let more = b"retry-after: 1\r\nconnection: close\r\n\r\n";
        answer(StatusCode::SERVICE_UNAVAILABLE, detail, more)
    });
    &ANSWER
}

/// What `bytes` ought to be, if they are hyper's own answer to a request that it could not parse: the same with a
/// problem for a body. `refusal` is why the guard made hyper answer, if it did.
///
/// hyper writes these answers itself, with no body, past every layer and handler. They are always at the start of a
/// write, unless they share it with an earlier answer that has no body; then they stay as they are.
pub(super) fn instead_of(bytes: &[u8], refusal: Option<Refusal>) -> Option<Vec<u8>> {
    // Nearly every answer ends here.
    let status = bytes.strip_prefix(b"HTTP/1.")?.get(2..5).filter(|status| status[0] == b'4')?;
    let (status, detail) = match (refusal, status) {
        (Some(refusal), b"400" | b"414" | b"431") => (refusal.status(), refusal.detail()),
        (None, b"400") => (StatusCode::BAD_REQUEST, "The request is malformed."),
        (None, b"414") => (StatusCode::URI_TOO_LONG, "The path is too long."),
        (None, b"431") => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.")
        }
        _ => return None,
    };
    const EMPTY_AND_CLOSING: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\n";
    let status_line_end = memmem::find(bytes, b"\r\n")?;
    let date = bytes[status_line_end..].strip_prefix(EMPTY_AND_CLOSING)?;
    Some(answer(status, detail, &[b"connection: close\r\n", date].concat()))
}

/// A whole answer. `more` is the rest of its head, with the empty line that ends it.
fn answer(status: StatusCode, detail: &'static str, more: &[u8]) -> Vec<u8> {
    let problem = details(status, detail);
    // A problem of two strings and a number always serialises.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
         content-length: {}\r\n",
        body.len()
    );
    [head.as_bytes(), more, &body].concat()
}
