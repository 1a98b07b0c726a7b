//! The headers that say why an answer is what it is and how long it took.

use std::time::Duration;

use aside_edge::NO_STORE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sfv::{ListSerializer, ParameterSerializer, StringRef, TokenRef, key_ref, token_ref};

use crate::cache::{Account, Detail, Directives, Forward, Key, Served};

pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(super) const X_RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The name of this cache in `Cache-Status`.
const ASIDE: &TokenRef = token_ref("aside");

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
    insert(headers, CACHE_STATUS, &mut text);
    text.push_str("cache;dur=");
    milliseconds(&mut text, account.lookup);
    if let Some(load) = account.load {
        text.push_str(", db;dur=");
        milliseconds(&mut text, load);
    }
    text.push_str(", ");
    timing(headers, &mut text, total);
    // A problem has said already that it is not to be kept.
    let is_private = account.detail == Some(Detail::Private);
    let kept = if is_private { NO_STORE } else { CACHE_CONTROL };
    headers.entry(header::CACHE_CONTROL).or_insert(kept);
}

/// Writes the headers of a write: its key is forgotten already, or still to be.
pub(super) fn of_write(headers: &mut HeaderMap, key: &Key, forgotten: bool, total: Duration) {
    let mut text = String::with_capacity(TEXT_BYTES);
    let mut list = ListSerializer::with_buffer(&mut text);
    let member = list.bare_item(ASIDE);
    let member = member.parameter(key_ref("fwd"), token_ref("method"));
    let detail = if forgotten { token_ref("forgotten") } else { token_ref("pending") };
    finish(member, key, Some(detail));
    insert(headers, CACHE_STATUS, &mut text);
    timing(headers, &mut text, total);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
}

/// The strong entity tag of a body: XXH3-64 of its bytes, so that all replicas agree on it.
pub(super) fn etag(body: &[u8]) -> HeaderValue {
    let mut tag = [b'"'; 18];
    let bytes = xxhash_rust::xxh3::xxh3_64(body).to_be_bytes();
    for (digits, byte) in tag[1..17].as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *digits = [byte >> 4, byte & 0xf].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    }
    HeaderValue::from_bytes(&tag).unwrap_or(HeaderValue::from_static(""))
}

/// The directives of a request; several fields count as one.
pub(super) fn directives(headers: &HeaderMap) -> Directives {
    let mut directives = Directives::default();
    let fields = headers.get_all(header::CACHE_CONTROL).iter();
    fields.filter_map(|field| field.to_str().ok()).for_each(|field| directives.read(field));
    directives
}

/// Writes `Cache-Status` (RFC 9211) with one member, this cache.
fn cache_status(text: &mut String, account: &Account) {
    let mut list = ListSerializer::with_buffer(text);
    let mut member = list.bare_item(ASIDE);
    match account.served {
        Served::Hit { ttl_s, .. } => {
            member = member.parameter(key_ref("hit"), true);
            member = member.parameter(key_ref("ttl"), integer(ttl_s));
        }
        Served::StaleIfError { ttl_s } => {
            member = member.parameter(key_ref("fwd"), token_ref("stale"));
            member = member.parameter(key_ref("ttl"), integer(ttl_s));
            member = member.parameter(key_ref("stored"), false);
        }
        Served::Forwarded { why, collapsed, stored } => {
            let why = match why {
                Forward::Miss => token_ref("miss"),
                Forward::Request => token_ref("request"),
                Forward::Stale => token_ref("stale"),
                Forward::Bypass => token_ref("bypass"),
            };
            member = member.parameter(key_ref("fwd"), why);
            if let Some(stored) = stored {
                member = member.parameter(key_ref("stored"), stored);
            }
            if collapsed {
                member = member.parameter(key_ref("collapsed"), true);
            }
        }
        Served::Unanswered => {}
    }
    let detail = account.detail.map(|detail| match detail {
        Detail::Fallback => token_ref("fallback"),
        Detail::Unavailable => token_ref("unavailable"),
        Detail::TooLarge => token_ref("too-large"),
        Detail::Superseded => token_ref("superseded"),
        Detail::NotStored => token_ref("not-stored"),
        Detail::Private => token_ref("private"),
    });
    finish(member, &account.key, detail);
}

/// The item of `Cache-Status` that is written.
type Member<'a> = ParameterSerializer<&'a mut String>;

/// The number, as far as a structured field takes it: to 15 digits, which no life has.
fn integer(number: i64) -> sfv::Integer {
    sfv::Integer::try_from(number).unwrap_or_default()
}

/// Writes the last parameters of `Cache-Status`.
fn finish(mut member: Member<'_>, key: &Key, detail: Option<&TokenRef>) {
    if let Ok(key) = StringRef::from_str(key.as_str()) {
        member = member.parameter(key_ref("key"), key);
    }
    if let Some(detail) = detail {
        member = member.parameter(key_ref("detail"), detail);
    }
    let _ = member.finish();
}

/// Writes `Server-Timing` in milliseconds, of which `text` has all but the total, and `X-Response-Time`.
fn timing(headers: &mut HeaderMap, text: &mut String, total: Duration) {
    text.push_str("total;dur=");
    milliseconds(text, total);
    insert(headers, SERVER_TIMING, text);
    milliseconds(text, total);
    text.push_str("ms");
    insert(headers, X_RESPONSE_TIME, text);
}

/// Writes hundredths of a millisecond below 10 ms, tenths above.
fn milliseconds(text: &mut String, duration: Duration) {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut digits = itoa::Buffer::new();
    text.push_str(digits.format(us / 1000));
    text.push('.');
    if us < 10_000 {
        // Two digits: a hundred more than they say, without the hundred.
        text.push_str(&digits.format(100 + us % 1000 / 10)[1..]);
    } else {
        text.push_str(digits.format(us % 1000 / 100));
    }
}

/// Sets a header to `text`, and empties that for the next one.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: &mut String) {
    headers.insert(name, value(text));
    text.clear();
}

/// All that is written here is visible ASCII, so that it is always a header value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
