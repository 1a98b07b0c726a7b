//! The headers that say why an answer is what it is and how long it took.

use std::{fmt::Write, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sfv::{ListSerializer, ParameterSerializer, StringRef, TokenRef, key_ref, token_ref};

use crate::cache::{Account, Detail, Directives, Forward, Key, Served};

pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(super) const X_RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Room for the longest of the headers with an ordinary key.
const TEXT_BYTES: usize = 128;

/// A private cache may keep the answer and must ask again; a 304 is cheap.
pub(super) const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");

/// The type of every body that is no problem.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Writes the headers of every cached resource but `Age` and `ETag`, which only answers have.
pub(super) fn account(headers: &mut HeaderMap, account: &Account, total: Duration) {
    let mut text = String::with_capacity(TEXT_BYTES);
    headers.insert(X_CACHE, HeaderValue::from_static(account.served.outcome().x_cache()));
    cache_status(&mut text, account);
    headers.insert(CACHE_STATUS, value(&text));
    timing(headers, &mut text, Some(account), total);
    // A problem has said already that it is not to be kept.
    headers.entry(header::CACHE_CONTROL).or_insert(CACHE_CONTROL);
}

/// Writes the headers of a write: whether its key is forgotten already or is still to be.
pub(super) fn of_write(headers: &mut HeaderMap, key: &Key, forgotten: bool, total: Duration) {
    let mut text = String::with_capacity(TEXT_BYTES);
    let mut list = ListSerializer::with_buffer(&mut text);
    let mut member = list.bare_item(token_ref("aside"));
    member = member.parameter(key_ref("fwd"), token_ref("method"));
    member = of_key(member, key);
    let detail = if forgotten { "forgotten" } else { "pending" };
    let _ = member.parameter(key_ref("detail"), token_ref(detail)).finish();
    headers.insert(CACHE_STATUS, value(&text));
    timing(headers, &mut text, None, total);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
}

/// The strong entity tag of a body: XXH3-64 of its bytes, so that all replicas agree on it.
pub(super) fn etag(body: &[u8]) -> HeaderValue {
    let mut tag = String::with_capacity(18);
    // Writing to a string never fails.
    let _ = write!(tag, "\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(body));
    value(&tag)
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

/// `Cache-Status` (RFC 9211) with one member, this cache.
fn cache_status(out: &mut String, account: &Account) {
    let mut list = ListSerializer::with_buffer(out);
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
    member = of_key(member, &account.key);
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
}

fn of_key<'a>(
    member: ParameterSerializer<&'a mut String>,
    key: &Key,
) -> ParameterSerializer<&'a mut String> {
    match StringRef::from_str(key.as_str()) {
        Ok(key) => member.parameter(key_ref("key"), key),
        Err(_) => member,
    }
}

/// Writes `Server-Timing` in milliseconds (the look, the load if there was one, and all of it) and
/// `X-Response-Time`. `text` is what they are written in first.
fn timing(headers: &mut HeaderMap, text: &mut String, account: Option<&Account>, total: Duration) {
    text.clear();
    if let Some(account) = account {
        text.push_str("cache;dur=");
        milliseconds(text, account.lookup);
        if let Some(load) = account.load {
            text.push_str(", db;dur=");
            milliseconds(text, load);
        }
        text.push_str(", ");
    }
    text.push_str("total;dur=");
    milliseconds(text, total);
    headers.insert(SERVER_TIMING, value(text));
    text.clear();
    milliseconds(text, total);
    text.push_str("ms");
    headers.insert(X_RESPONSE_TIME, value(text));
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

/// All that is written here is visible ASCII, so that it is always a header value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
