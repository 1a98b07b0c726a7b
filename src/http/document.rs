//! A text of the service's own, the same for everybody.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{
    headers::{CACHE_CONTROL, etag},
    preconditions::is_unchanged,
};

/// The text as it is sent, and its tag.
#[derive(Clone)]
pub(super) struct Document {
    media: HeaderValue,
    body: Bytes,
    etag: HeaderValue,
}

impl Document {
    pub(super) fn new(media: HeaderValue, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let etag = etag(&body);
        Self { media, body, etag }
    }

    /// Shows this document. Its tag is sent as a weak one: the document may be compressed on its way.
    pub(super) async fn show(self, request: HeaderMap) -> Response {
        let weak = [(header::ETAG, [b"W/", self.etag.as_bytes()].concat())];
        let headers = (weak, [(header::CACHE_CONTROL, CACHE_CONTROL)]);
        if is_unchanged(&request, &self.etag) {
            (StatusCode::NOT_MODIFIED, headers, ()).into_response()
        } else {
            ([(header::CONTENT_TYPE, self.media)], headers, self.body).into_response()
        }
    }
}
