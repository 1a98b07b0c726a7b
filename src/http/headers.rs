//! The headers that say why an answer is what it is and how long it took.

use std::{fmt::Write, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;
use sfv::{ListSerializer, StringRef, TokenRef, key_ref, token_ref};

use crate::{
    cache::{Account, Detail, Directives, Forward, Key, Served},
    metrics::Outcome,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A private cache may keep the answer and must ask again; a 304 is cheap.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");

/// The type of every body that is no problem.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Writes the headers of every cached resource but `Age` and `ETag`, which only answers have.
pub(super) fn account(headers: &mut HeaderMap, account: &Account, total: Duration) {
    headers.insert(X_CACHE, HeaderValue::from_static(x_cache(account.served)));
    headers.insert(CACHE_STATUS, value(cache_status(account)));
    headers.insert(SERVER_TIMING, value(server_timing(account, total)));
    let mut time = String::with_capacity(16);
    milliseconds(&mut time, total);
    time.push_str("ms");
    headers.insert(X_RESPONSE_TIME, value(time));
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
}

/// Writes the headers of a write: whether its key is forgotten already or is still to be.
pub(super) fn of_write(headers: &mut HeaderMap, key: &Key, forgotten: bool, total: Duration) {
    let mut status = String::with_capacity(64);
    let mut list = ListSerializer::with_buffer(&mut status);
    let mut member = list.bare_item(token_ref("aside"));
    member = member.parameter(key_ref("fwd"), token_ref("method"));
    if let Ok(key) = StringRef::from_str(key.as_str()) {
        member = member.parameter(key_ref("key"), key);
    }
    let detail = if forgotten { "forgotten" } else { "pending" };
    let _ = member.parameter(key_ref("detail"), token_ref(detail)).finish();
    headers.insert(CACHE_STATUS, value(status));
    headers.insert(SERVER_TIMING, value(format!("total;dur={}", milliseconds_of(total))));
    headers.insert(X_RESPONSE_TIME, value(format!("{}ms", milliseconds_of(total))));
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
}

/// The strong entity tag of a body: XXH3-64 of its bytes, so that all replicas agree on it.
pub(super) fn etag(body: &[u8]) -> HeaderValue {
    let mut tag = String::with_capacity(18);
    // Writing to a string never fails.
    let _ = write!(tag, "\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(body));
    value(tag)
}

/// The directives of a request; several fields count as one.
pub(super) fn directives(headers: &HeaderMap) -> Directives {
    let mut directives = Directives::default();
    for field in headers.get_all(header::CACHE_CONTROL) {
        if let Ok(field) = field.to_str() {
            directives.read(field);
        }
    }
    directives
}

fn x_cache(served: Served) -> &'static str {
    match served.outcome() {
        Outcome::Hit | Outcome::NegativeHit => "HIT",
        Outcome::Stale => "STALE",
        Outcome::Miss | Outcome::Collapsed => "MISS",
        Outcome::Bypass => "BYPASS",
    }
}

/// `Cache-Status` (RFC 9211) with one member, this cache.
fn cache_status(account: &Account) -> String {
    let mut out = String::with_capacity(64);
    let mut list = ListSerializer::with_buffer(&mut out);
    let mut member = list.bare_item(token_ref("aside"));
    let fwd = |why| match why {
        Forward::Miss => token_ref("miss"),
        Forward::Request => token_ref("request"),
        Forward::Stale => token_ref("stale"),
        Forward::Bypass => token_ref("bypass"),
    };
    let (ttl, fwd, collapsed, stored): (Option<i64>, Option<&TokenRef>, bool, Option<bool>) =
        match account.served {
            Served::Hit { ttl_s, .. } => (Some(ttl_s), None, false, None),
            Served::StaleIfError { ttl_s } => {
                (Some(ttl_s), Some(fwd(Forward::Stale)), false, Some(false))
            }
            Served::Forwarded { why, collapsed, stored } => {
                (None, Some(fwd(why)), collapsed, stored)
            }
            Served::Unanswered => (None, None, false, None),
        };
    match fwd {
        Some(why) => member = member.parameter(key_ref("fwd"), why),
        None if ttl.is_some() => member = member.parameter(key_ref("hit"), true),
        None => {}
    }
    if let Some(ttl) = ttl.and_then(|ttl| sfv::Integer::try_from(ttl).ok()) {
        member = member.parameter(key_ref("ttl"), ttl);
    }
    if let Some(stored) = stored {
        member = member.parameter(key_ref("stored"), stored);
    }
    if collapsed {
        member = member.parameter(key_ref("collapsed"), true);
    }
    if let Ok(key) = StringRef::from_str(account.key.as_str()) {
        member = member.parameter(key_ref("key"), key);
    }
    if let Some(detail) = account.detail {
        let detail = match detail {
            Detail::Fallback => "fallback",
            Detail::Unavailable => "unavailable",
            Detail::TooLarge => "too-large",
            Detail::Superseded => "superseded",
            Detail::NotStored => "not-stored",
        };
        member = member.parameter(key_ref("detail"), token_ref(detail));
    }
    let _ = member.finish();
    out
}

/// `Server-Timing` in milliseconds: the look, the load if there was one, and all of it.
fn server_timing(account: &Account, total: Duration) -> String {
    let mut out = String::with_capacity(64);
    out.push_str("cache;dur=");
    milliseconds(&mut out, account.lookup);
    if let Some(load) = account.load {
        out.push_str(", db;dur=");
        milliseconds(&mut out, load);
    }
    out.push_str(", total;dur=");
    milliseconds(&mut out, total);
    out
}

/// Hundredths of a millisecond below 10 ms, tenths above.
fn milliseconds(out: &mut String, duration: Duration) {
    let us = duration.as_micros();
    // Writing to a string never fails.
    let _ = if us < 10_000 {
        write!(out, "{}.{:02}", us / 1000, us % 1000 / 10)
    } else {
        write!(out, "{}.{}", us / 1000, us % 1000 / 100)
    };
}

fn milliseconds_of(duration: Duration) -> String {
    let mut out = String::with_capacity(12);
    milliseconds(&mut out, duration);
    out
}

/// All that is written here is visible ASCII, so that it is always a header value.
fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static(""))
}
