//! A problem as an answer, and its schema.

use std::{borrow::Cow, collections::BTreeMap};

use axum::http::StatusCode;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, ObjectBuilder, Ref, RefOr, Response, Type, response::ResponseBuilder,
        schema::Schema,
    },
};

use super::headers::{Headers, named};
use crate::http::problem::Problem;

/// What the edge says of a body that it does not read to its end.
const BODY_UNREAD: [(StatusCode, &str); 2] = [
    (StatusCode::REQUEST_TIMEOUT, "The body took longer than 10 s; the connection is closed."),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than 64 KiB; the connection is closed."),
];

/// One answer for each status, with all that it can mean.
pub(super) fn of(problems: &[Problem], headers: Headers) -> BTreeMap<String, RefOr<Response>> {
    let mut meanings: BTreeMap<StatusCode, Vec<Cow<str>>> = BTreeMap::new();
    for problem in problems {
        let (status, meaning) = meaning(*problem);
        meanings.entry(status).or_default().push(meaning);
    }
    if problems.contains(&Problem::NotJson) {
        meanings.extend(BODY_UNREAD.map(|(status, meaning)| (status, vec![meaning.into()])));
    }
    let answers = meanings.into_iter().map(|(status, meanings)| {
        let mut headers = headers(status);
        match status {
            StatusCode::UNAUTHORIZED => headers.push("WWW-Authenticate"),
            StatusCode::SERVICE_UNAVAILABLE => headers.push("Retry-After"),
            _ => {}
        }
        (status.as_str().to_owned(), answer(&meanings.join(" Or: "), &headers))
    });
    let other =
        "Any other problem, of the service (500) or of the framing of the request (400, 431, 501).";
    answers.chain([("default".to_owned(), answer(other, &[]))]).collect()
}

/// What the problem says; where that depends on the case, what it can say.
fn meaning(problem: Problem) -> (StatusCode, Cow<'static, str>) {
    let (status, meaning) = problem.parts();
    match problem {
        Problem::NotAllForgotten(_) => {
            (status, "Not all entries are forgotten; the detail says how many were.".into())
        }
        Problem::DatabaseNotReady(_) => {
            (status, "The database is not ready; the detail says why.".into())
        }
        _ => (status, meaning),
    }
}

fn answer(description: &str, headers: &[&str]) -> RefOr<Response> {
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let response = ResponseBuilder::new().description(description);
    let mut response = response.content("application/problem+json", problem).build();
    response.headers = named(headers);
    response.into()
}

impl ToSchema for Problem {}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |description| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description))
        };
        let status =
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(400)).maximum(Some(599));
        ObjectBuilder::new()
            .description(Some("A problem (RFC 9457) of the type `about:blank`, which is left out."))
            .property("title", text("The phrase of the status."))
            .required("title")
            .property("status", status.description(Some("The status of the answer.")))
            .required("status")
            .property("detail", text("What is wrong, in a sentence for people."))
            .required("detail")
            .into()
    }
}
