//! The moments of a service, as it tells of them: server-sent events whose data is JSON.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::handshake,
    header::{AUTHORIZATION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::figures::Moment;

/// The longest that a service may take to answer.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest event that is read; a longer one is none of Aside's.
const EVENT_BYTES_MAX: usize = 1 << 20;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An open stream of them.
pub(crate) struct Moments {
    body: Incoming,
    read: Vec<u8>,
}

impl Moments {
    /// Asks the service at `address`.
    ///
    /// # Errors
    /// What the service did instead of telling of them.
    pub(crate) async fn of(address: SocketAddr, token: Option<&str>) -> Result<Self, String> {
        let asked = timeout(SERVICE_TIMEOUT, Self::ask(address, token)).await;
        let answer = asked.unwrap_or_else(|late| Err(late.into()));
        let answer = answer.map_err(|why| format!("does not answer: {why}"))?;
        match answer.status() {
            StatusCode::OK => Ok(Self { body: answer.into_body(), read: Vec::new() }),
            StatusCode::UNAUTHORIZED => Err("takes another token".to_owned()),
            status => Err(format!("answers {status}")),
        }
    }

    async fn ask(
        mut address: SocketAddr,
        token: Option<&str>,
    ) -> Result<Response<Incoming>, Error> {
        // What listens on every address is asked on the loopback one.
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let socket = TokioIo::new(TcpStream::connect(address).await?);
        let (mut requests, connection) = handshake(socket).await?;
        tokio::spawn(connection);
        let mut request = Request::get("/events").header(HOST, address.to_string());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Ok(requests.send_request(request.body(Empty::<Bytes>::new())?).await?)
    }

    /// The next one; `None` at the end, or where it is none of Aside's.
    pub(crate) async fn next(&mut self) -> Option<Moment> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                return serde_json::from_slice(event.strip_prefix(b"data: ")?).ok();
            }
            let part = self.body.frame().await?.ok()?.into_data().ok()?;
            if self.read.len() + part.len() > EVENT_BYTES_MAX {
                return None;
            }
            self.read.extend_from_slice(&part);
        }
    }
}
