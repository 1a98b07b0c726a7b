//! The answers that succeed and have headers of their own.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{Content, Object, Ref, RefOr, Response, response::ResponseBuilder},
};

use super::headers::{OF_CACHE, OF_SESSION, OF_WRITE, named};
use crate::{calculations::Calculation, http::sessions, users::User};

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident: [$($answer:expr),+ $(,)?];)+) => {$(
        $(#[$doc])*
        pub(in crate::http) enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($answer),+].into()
            }
        }
    )+};
}

answers! {
    /// A user through the cache.
    UserRead: [
        answer(200, "The user.", &[OF_CACHE, OF_ENTRY], json::<User>()),
        answer(304, "The user is as the client has it.", &[OF_CACHE, OF_ENTRY], None),
    ];

    /// A result through the cache.
    CalculationRead: [
        answer(200, "The number and its double.", &[OF_CACHE, OF_ENTRY], json::<Calculation>()),
        answer(304, "The result is as the client has it.", &[OF_CACHE, OF_ENTRY], None),
    ];

    /// The document itself.
    DocumentRead: [
        answer(200, "An OpenAPI document.", &[&["ETag"]], Some(Content::new(Some(Object::new())))),
        answer(304, "The document is as the client has it.", &[&["ETag"]], None),
    ];

    /// A new user.
    UserCreated: [answer(201, "The new user.", &[OF_WRITE, &["ETag", "Location"]], json::<User>())];

    /// A user that was changed.
    UserChanged: [answer(200, "The user as it is now.", &[OF_WRITE, &["ETag"]], json::<User>())];

    /// A key that was forgotten, with its user or without.
    Gone: [answer(204, "It is done.", &[OF_WRITE], None)];

    /// A log-in.
    SessionBegun: [answer(201, "The new session.", &[OF_SESSION, COOKIE, &["Location"]], json::<sessions::Shown>())];

    /// A session, which lives anew from now.
    SessionRead: [answer(200, "The session.", &[OF_SESSION], json::<sessions::Shown>())];

    /// The client's own session, which lives anew from now.
    OwnSessionRead: [answer(200, "The session.", &[OF_SESSION, COOKIE], json::<sessions::Shown>())];

    /// The end of a session.
    SessionEnded: [answer(204, "The session has ended.", &[OF_SESSION], None)];

    /// The end of the client's own session.
    OwnSessionEnded: [answer(204, "The session has ended.", &[OF_SESSION, COOKIE], None)];
}

const OF_ENTRY: &[&str] = &["Age", "ETag"];

const COOKIE: &[&str] = &["Set-Cookie"];

fn answer(
    status: u16,
    description: &str,
    headers: &[&[&str]],
    content: Option<Content>,
) -> (String, RefOr<Response>) {
    let mut response = ResponseBuilder::new().description(description);
    if let Some(content) = content {
        response = response.content("application/json", content);
    }
    let mut response = response.build();
    response.headers = named(&headers.concat());
    (status.to_string(), response.into())
}

/// A body that the document has a schema of.
fn json<T: ToSchema>() -> Option<Content> {
    Some(Content::new(Some(Ref::from_schema_name(T::name()))))
}
