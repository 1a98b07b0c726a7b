//! A service that is asked over HTTP as a source. No header of a client is passed on: what one reads, all read.

mod keep;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::{Instant, timeout_at};

use self::keep::keep;
use crate::{
    cache::{Found, Key, LoadEnd, LoadError, Source},
    resources::{
        Argument, Arguments, Definition,
        file::{Fault, OriginDeclared, Piece},
    },
};

/// Most bytes of a body. A longer one is no answer.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Most bytes of a URL.
const URL_BYTES_MAX: usize = 8 << 10;

/// The longest that a connection may take to be made. Past it, the origin counts as away.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// The time for which a connection is kept that nobody uses. Servers end theirs after a minute or so.
const IDLE_MAX: Duration = Duration::from_secs(30);

#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;

/// An origin of a resource.
pub struct Origin {
    client: Client<Connector, Empty<Bytes>>,
    url: Vec<Piece>,
    headers: HeaderMap,
    space: Arc<str>,
    media: Arc<str>,
}

impl Origin {
    /// The origin of a resource. It is not asked yet.
    ///
    /// # Errors
    /// [`Fault`]: a header can't be what the environment says, or this build has no TLS.
    pub fn open(declared: &OriginDeclared, definition: &Definition) -> Result<Self, Fault> {
        let is_secure =
            matches!(declared.url.first(), Some(Piece::Text(text)) if text.starts_with("https:"));
        if is_secure && !cfg!(feature = "tls") {
            return Err(declared
                .at
                .fault("origin: this build takes no https; build with the feature tls"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION"))),
        );
        if let Ok(media) = HeaderValue::from_str(&definition.media) {
            headers.insert(ACCEPT, media);
        }
        for (name, setting, at) in &declared.headers {
            let refused =
                || at.fault(format_args!("headers.{name}: its value can't be that of a header"));
            let mut value =
                HeaderValue::from_str(setting.value(at)?.reveal()).map_err(|_| refused())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?, value);
        }
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
        client.pool_max_idle_per_host(definition.policy.loads_max);
        let client = client
            .build(connector().map_err(|why| declared.at.fault(format_args!("origin: {why}")))?);
        let (url, space) = (declared.url.clone(), definition.space.clone());
        Ok(Self { client, url, headers, space, media: definition.media.clone() })
    }

    /// The URL of one thing; `None` if there can be none: where a segment of the path would be taken for a step up.
    fn url(&self, id: &Arguments) -> Option<Uri> {
        let mut url = String::new();
        for piece in &self.url {
            match piece {
                Piece::Text(text) => url.push_str(text),
                Piece::Value(number) => match id.values().get(*number)? {
                    Argument::Text(text) if matches!(&**text, "." | "..") => return None,
                    value => value.encode(&mut url),
                },
            }
        }
        if url.len() > URL_BYTES_MAX { None } else { url.parse().ok() }
    }

    async fn ask(&self, url: Uri) -> LoadEnd {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url;
        *request.headers_mut() = self.headers.clone();
        let answer = self.client.request(request).await.map_err(|error| {
            let why = one_line(&error);
            if error.is_connect() { LoadError::Unavailable(why) } else { LoadError::Faulty(why) }
        })?;
        let status = answer.status();
        let keep = keep(answer.headers());
        match status {
            StatusCode::OK => self.is_of_its_media(&answer)?,
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Found { body: None, keep }),
            _ if status.is_server_error() => {
                return Err(LoadError::Faulty(status.to_string().into()));
            }
            _ => return Err(LoadError::Unusable(status.to_string().into())),
        }
        let body = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => LoadError::Unusable("its body is longer than 16 MiB".into()),
            None => LoadError::Faulty(one_line(&*error)),
        })?;
        Ok(Found { body: Some(body.to_bytes()), keep })
    }

    /// A page that asks for a password, say, is not what was asked for, whatever its status.
    fn is_of_its_media(&self, answer: &Response<Incoming>) -> Result<(), LoadError> {
        let Some(given) = answer.headers().get(CONTENT_TYPE) else { return Ok(()) };
        let given = given.to_str().unwrap_or_default();
        let essence =
            |media: &str| media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (is, takes) = (essence(given), essence(&self.media));
        // RFC 6839 §3.1.
        if is == takes || takes == "application/json" && is.ends_with("+json") {
            return Ok(());
        }
        let why =
            format!("it is of the type {is:?}, and content_type of the resource is {takes:?}");
        Err(LoadError::Unusable(why.into()))
    }
}

impl Source for Origin {
    type Id = Arguments;

    fn key(&self, id: &Arguments) -> Key {
        id.key(&self.space)
    }

    async fn load(&self, id: Arguments, deadline: Instant) -> LoadEnd {
        let Some(url) = self.url(&id) else { return Ok(None.into()) };
        timeout_at(deadline, self.ask(url)).await.unwrap_or(Err(LoadError::Timeout))
    }
}

/// An error and its causes. None of them says what was sent.
fn one_line(error: &(dyn std::error::Error + 'static)) -> Arc<str> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ").replace(char::is_control, " ").into()
}

fn http() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT_WAIT));
    http.set_nodelay(true);
    http.enforce_http(false);
    http
}

#[cfg(feature = "tls")]
fn connector() -> Result<Connector, String> {
    let builder = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| error.to_string())?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(http()))
}

#[cfg(not(feature = "tls"))]
fn connector() -> Result<Connector, String> {
    Ok(http())
}
