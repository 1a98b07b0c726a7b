//! `GET /openapi.json`: the routes for people who generate clients from them.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::Value;

use super::{
    headers::{CACHE_CONTROL, JSON, etag},
    preconditions::is_unchanged,
};

/// The document as it is written by hand; tests hold it against the routes, the problems and real answers.
const WRITTEN: &str = include_str!("openapi.json");

/// The document as it is sent, and its tag. That is sent as a weak one: the document may be compressed on its way.
static DOCUMENT: LazyLock<(Bytes, HeaderValue)> = LazyLock::new(|| {
    // It is JSON, and maps with text for keys always serialise.
    let mut document: Value = serde_json::from_str(WRITTEN).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let document = serde_json::to_vec(&document).unwrap_or_default();
    let etag = etag(&document);
    (document.into(), etag)
});

/// Shows this document.
pub(super) async fn show(request: HeaderMap) -> Response {
    let (document, etag) = &*DOCUMENT;
    let mut response = if is_unchanged(&request, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, JSON)], document.clone()).into_response()
    };
    let weak = etag.to_str().map_or(String::new(), |etag| format!("W/{etag}"));
    if let Ok(weak) = HeaderValue::try_from(weak) {
        response.headers_mut().insert(header::ETAG, weak);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE_CONTROL);
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::problem::{Problem::*, details};
    use crate::users::NotReady;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_problem_is_in_the_document_as_it_is_said() {
        let document: Value = serde_json::from_str(WRITTEN).unwrap();
        let examples = document["components"]["examples"].as_object().unwrap();
        let told: BTreeSet<_> =
            examples.values().map(|example| example["value"].to_string()).collect();
        let named = [
            InvalidId,
            NoSuchUser,
            NoSuchSession,
            RepeatedCookie,
            NoSessions,
            SessionsUnavailable,
            NotCached,
            Overloaded,
            SourceUnavailable,
            SourceTimeout,
            InvalidPrecondition,
            MalformedJson,
            NotJson,
            NotPatch,
            InvalidFields,
            EmailTaken,
            Changed,
            NotWritable,
            CacheUnavailable,
            QueueFull,
            QueueUnavailable,
            Unauthorized,
            Closed,
            ForeignHost,
            Draining,
            Internal,
        ];
        for problem in named {
            assert!(examples.contains_key(&format!("{problem:?}")), "{problem:?}");
        }
        let not_ready = [
            NotReady::Gone,
            NotReady::Replaced,
            NotReady::Silent,
            NotReady::Corrupt,
            NotReady::OtherServers,
            NotReady::Failing,
        ];
        let said =
            named.into_iter().chain(not_ready.map(DatabaseNotReady)).chain([NotAllForgotten(0)]);
        for problem in said {
            let (status, detail) = problem.parts();
            let said = json!(details(status, detail)).to_string();
            assert!(told.contains(&said), "{said}");
        }
    }
}
