//! Asking a running service over HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    BoxError,
    body::Bytes,
    http::{Request, Response, StatusCode, header::HOST},
};
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{net::TcpStream, time::timeout};

use crate::config::listen;

/// The longest that a service may take to answer, all in all.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest body that is read; a longer one is no answer of ours.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The service that is asked.
#[derive(Args, Debug)]
pub(super) struct Service {
    /// Address that the service listens on
    #[arg(long, env = "ASIDE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen, value_name = "ADDRESS")]
    pub(super) listen: SocketAddr,
}

impl Service {
    /// Asks for `path`. It is asked directly, whatever proxy the environment names for other things.
    ///
    /// # Errors
    /// If no answer has come, whole, within [`SERVICE_TIMEOUT`].
    pub(super) async fn ask(&self, path: &str) -> Result<Response<Bytes>, BoxError> {
        timeout(SERVICE_TIMEOUT, self.exchange(path)).await?
    }

    async fn exchange(&self, path: &str) -> Result<Response<Bytes>, BoxError> {
        let mut address = self.listen;
        // What listens on every address is asked on the loopback one.
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let socket = TokioIo::new(TcpStream::connect(address).await?);
        let (mut requests, connection) = handshake(socket).await?;
        tokio::spawn(connection);
        let request =
            Request::get(path).header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
        let (head, body) = requests.send_request(request).await?.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Asks for `path`, and reads the answer as JSON; `None` if there is none.
    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let answer = self.ask(path).await.ok()?;
        (answer.status() == StatusCode::OK).then(|| serde_json::from_slice(answer.body()).ok())?
    }
}
