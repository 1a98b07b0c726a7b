//! Asking a running service over HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use serde::de::DeserializeOwned;
use ureq::{Agent, Body, http::Response};

use crate::config::listen;

/// The longest that a service may take to answer, all in all.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest body that is read; a longer one is no answer of ours.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// The service that is asked.
#[derive(Args, Debug)]
pub(super) struct Service {
    /// Address that the service listens on
    #[arg(long, env = "ASIDE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen, value_name = "ADDRESS")]
    pub(super) listen: SocketAddr,
}

impl Service {
    /// Asks for `path`; an answer that is no 200 is an error.
    pub(super) fn ask(&self, path: &str) -> Result<Response<Body>, ureq::Error> {
        let mut address = self.listen;
        // What listens on every address is asked on the loopback one.
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        // It is asked directly, whatever proxy the environment names for other things.
        let config = Agent::config_builder().timeout_global(Some(SERVICE_TIMEOUT)).proxy(None);
        let agent: Agent = config.max_redirects(0).build().into();
        agent.get(format!("http://{address}{path}")).call()
    }

    /// Asks for `path`, and reads the answer as JSON; `None` if there is none.
    pub(super) fn json<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let mut answer = self.ask(path).ok()?;
        let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec().ok()?;
        serde_json::from_slice(&body).ok()
    }
}
