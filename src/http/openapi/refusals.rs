//! The problems that each operation can meet. What they say stands in the table of [`Problem`], and is read there.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{RefOr, Response},
};

use super::{
    headers::{of_cache, of_log_out, of_none, of_session},
    problems::of,
};
use crate::{
    http::problem::Problem::{self, *},
    users::NotReady,
};

macro_rules! refusals {
    ($($name:ident($headers:expr): [$($problems:expr),* $(,)?];)+) => {$(
        pub(in crate::http) enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let problems: &[&[Problem]] = &[$(&$problems),*];
                of(&problems.concat(), $headers)
            }
        }
    )+};
}

refusals! {
    ReadUser(of_cache): [[InvalidId, InvalidPrecondition, NoSuchUser, Changed, NotCached], LOAD];
    Calculate(of_cache): [[InvalidId, InvalidPrecondition, Changed, NotCached], LOAD];
    CreateUser(of_none): [TOKEN, BODY, [EmailTaken, NotWritable]];
    ChangeUser(of_none): [TOKEN, BODY, VERSION, [EmailTaken, NotWritable]];
    DeleteUser(of_none): [TOKEN, VERSION, [NotWritable]];
    BeginSession(of_session): [TOKEN, BODY, [NoSuchUser], LOAD, SESSION];
    ReadSession(of_session): [TOKEN, [NoSuchSession], SESSION];
    EndSession(of_session): [TOKEN, [NoSuchSession], SESSION];
    ReadOwnSession(of_session): [[Closed, RepeatedCookie, NoSuchSession], SESSION];
    EndOwnSession(of_log_out): [[Closed, RepeatedCookie, NoSuchSession], SESSION];
    UseEntry(of_none): [TOKEN, [InvalidId, CacheUnavailable]];
    ForgetAll(of_none): [TOKEN, [NotAllForgotten(0)]];
    WarmUp(of_none): [TOKEN, BODY, [QueueFull, QueueUnavailable]];
    ShowJobs(of_none): [TOKEN, [QueueUnavailable, SourceUnavailable]];
    Ready(of_none): [[Draining, DatabaseNotReady(NotReady::Gone)]];
    Other(of_none): [];
}

/// Of what needs the token.
const TOKEN: [Problem; 3] = [Unauthorized, Closed, ForeignHost];

/// Of what waits for a load.
const LOAD: [Problem; 3] = [Overloaded, SourceUnavailable, SourceTimeout];

/// Of what takes a body.
const BODY: [Problem; 4] = [
    MalformedJson,
    NotJson,
    InvalidFields,
    InvalidField("A field is not what it takes; the detail names it."),
];

/// Of what changes one version of a user.
const VERSION: [Problem; 4] = [InvalidId, NoSuchUser, InvalidPrecondition, Changed];

/// Of what asks for a session.
const SESSION: [Problem; 2] = [NoSessions, SessionsUnavailable];
