//! An answer over HTTP, read whole.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use reqwest::{RequestBuilder, header::HeaderMap};
use sfv::{BareItem, List, ListEntry, Parser};
use tokio::time::Instant;

/// Status, headers and body of one answer, and how long they took.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The code of its status.
    pub status: u16,
    /// Its headers, with all that come twice.
    pub headers: HeaderMap,
    /// Its body, as it came.
    pub body: Bytes,
    /// The time from the request to the end of the body.
    pub took: Duration,
}

impl Answer {
    /// Sends `request` and reads the whole answer.
    pub async fn to(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let begun_at = Instant::now();
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await?;
        Ok(Self { status, headers, body, took: begun_at.elapsed() })
    }

    /// A header that is there at most once; empty if it is not.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map_or("", |value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} is there twice: {:?}", self.headers);
        value
    }

    /// `X-Cache`.
    pub fn x_cache(&self) -> &str {
        self.header("x-cache")
    }

    /// `Age`, which must be there.
    pub fn age_s(&self) -> u32 {
        self.header("age").parse().unwrap()
    }

    /// The parameters of `Cache-Status`, whose one member must be `aside`.
    pub fn cache_status(&self) -> BTreeMap<String, String> {
        let text = self.header("cache-status");
        let list: List =
            Parser::new(text).parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        let [ListEntry::Item(item)] = &list[..] else { panic!("not one item: {text}") };
        assert_eq!(item.bare_item.as_token().unwrap().as_str(), "aside", "{text}");
        let parameters = item.params.iter();
        parameters.map(|(key, value)| (key.as_str().to_owned(), word(value))).collect()
    }

    /// Milliseconds by metric of `Server-Timing`.
    pub fn server_timing(&self) -> BTreeMap<String, f64> {
        let metrics = self.header("server-timing").split(", ");
        let metrics = metrics.map(|metric| metric.split_once(";dur=").unwrap());
        metrics.map(|(name, ms)| (name.to_owned(), ms.parse().unwrap())).collect()
    }

    /// The body, which must be JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Asserts that this is a problem of `status` (RFC 9457), and returns what it says.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// Asserts that this is the user `id`, whole.
    #[track_caller]
    pub fn user(&self, id: i64) -> &Self {
        assert_eq!(self.status, 200, "{self:?}");
        let user = self.json();
        assert_eq!(user["id"], id, "{user}");
        let fields = user.as_object().unwrap().keys().map(String::as_str);
        let mut fields: Vec<_> = fields.collect();
        fields.sort_unstable();
        assert_eq!(fields, ["created_at", "email", "id", "name", "updated_at"]);
        self
    }
}

fn word(value: &BareItem) -> String {
    match value {
        BareItem::Integer(integer) => integer.to_string(),
        BareItem::String(string) => string.as_str().to_owned(),
        BareItem::Token(token) => token.as_str().to_owned(),
        BareItem::Boolean(boolean) => boolean.to_string(),
        other => panic!("no parameter of Cache-Status is {other:?}"),
    }
}
