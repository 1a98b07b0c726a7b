//! `GET /openapi.json`: the routes for people who generate clients from them.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    headers::{CACHE_CONTROL, JSON, etag},
    preconditions::is_unchanged,
};
use crate::resources::{Definition, Resource, Resources};

/// The document as it is written by hand; tests hold it against the routes, the problems and real answers. Its
/// `x-resource` is what it says of each resource, with the names in double braces.
const WRITTEN: &str = include_str!("openapi.json");

/// The document as it is sent, and its tag.
#[derive(Clone)]
pub(super) struct Document {
    body: Bytes,
    etag: HeaderValue,
}

impl Document {
    /// The document with all `resources`.
    pub(super) fn new(resources: &Resources) -> Self {
        // It is JSON, and maps with text for keys always serialise.
        let mut document: Value = serde_json::from_str(WRITTEN).unwrap_or_default();
        document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
        let template = document["x-resource"].take();
        for Resource { definition, .. } in resources.iter() {
            for (part, path) in [("read", definition.path), ("cache", &definition.cache_path())] {
                for (method, operation) in filled(&template[part], definition) {
                    document["paths"][path][method] = operation;
                }
            }
        }
        document.as_object_mut().and_then(|document| document.remove("x-resource"));
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let etag = etag(&body);
        Self { body: body.into(), etag }
    }

    /// Shows this document. Its tag is sent as a weak one: the document may be compressed on its way.
    pub(super) async fn show(self, request: HeaderMap) -> Response {
        let weak = [(header::ETAG, [b"W/", self.etag.as_bytes()].concat())];
        let headers = (weak, [(header::CACHE_CONTROL, CACHE_CONTROL)]);
        if is_unchanged(&request, &self.etag) {
            (StatusCode::NOT_MODIFIED, headers, ()).into_response()
        } else {
            ([(header::CONTENT_TYPE, JSON)], headers, self.body).into_response()
        }
    }
}

/// The operations of `template` for `resource`. Nothing that is filled in needs to be escaped in JSON.
fn filled(template: &Value, resource: &Definition) -> Map<String, Value> {
    let schema = resource.space[..1].to_uppercase() + &resource.space[1..];
    let filled = [
        ("{{name}}", resource.name),
        ("{{space}}", resource.space),
        ("{{schema}}", &schema),
        ("{{parameter}}", resource.parameter()),
        ("{{absent}}", resource.absent.unwrap_or_default()),
    ]
    .iter()
    .fold(template.to_string(), |text, (name, word)| text.replace(name, word));
    let mut operations: Map<String, Value> = serde_json::from_str(&filled).unwrap_or_default();
    if resource.absent.is_none() {
        let responses = operations["get"]["responses"].as_object_mut();
        responses.and_then(|responses| responses.remove("404"));
    }
    operations
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::problem::Problem::*;
    use crate::{database::NotReady, edge::details};
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
            let said = json!(details(problem.status(), problem.to_string())).to_string();
            assert!(told.contains(&said), "{said}");
        }
    }
}
