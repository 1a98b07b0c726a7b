//! The composition root: makes everything, in order, and serves until told to stop.

mod configured;
mod queue;
mod stacks;

use std::{fmt::Display, io, net::TcpListener, sync::Arc, time::Duration};

use aside_edge::{EdgeCounters, Host, Limits, serve};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};
use tower::service_fn;

pub use self::{
    configured::{Configured, FILE, declared},
    queue::{queue, timing},
    stacks::{Stacks, definitions, policy, servers},
};
use crate::{
    cache::InFlight,
    config::{Secret, Settings},
    cores::Cores,
    http::{self, Access, Context, Front, Origins, STREAMS_MAX},
    memcached::Memcached,
    metrics::Metrics,
    operator::{Equipment, Operator},
    sessions::Sessions,
    users::Users,
};

/// Longest wait of the ending service for the job under way. A longer one is given up, and is another
/// worker's after the lease.
const JOB_GRACE: Duration = Duration::from_secs(5);

/// The service, ready to be served.
pub struct App {
    cores: Cores,
    front: Arc<Front>,
    limits: Limits,
    connections: EdgeCounters,
    draining: watch::Sender<bool>,
    worker: JoinHandle<()>,
    in_flight: InFlight,
    memcached: Option<Memcached>,
}

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that is no use, or two that do not go together.
    #[error("{0}")]
    Setting(String),
    /// No threads.
    #[error("the threads that serve can't be started: {0}")]
    Cores(io::Error),
    /// The database can't be opened.
    #[error(transparent)]
    Database(#[from] crate::database::OpenError),
    /// The log of changes can't be read.
    #[error("the log of changes can't be read: {0}")]
    Log(String),
}

impl StartError {
    /// A setting whose value is not repeated, as it may be a secret.
    fn invalid(setting: &str, takes: impl Display) -> Self {
        Self::Setting(format!("invalid value for '{setting}': {takes}"))
    }

    /// A setting and its value.
    fn refused(value: &str, setting: &str, takes: impl Display) -> Self {
        Self::Setting(format!("invalid value '{value}' for '{setting}': {takes}"))
    }
}

impl App {
    /// Opens everything and puts the routes before it.
    ///
    /// # Errors
    /// [`StartError`]; its text is one line that names the setting or the path.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let access = access(settings)?;
        let origins = origins(&settings.cors_origin)?;
        let queue = queue(&settings.queue.address, &settings.stacks.database)?;
        let metrics = Metrics::default();
        let cores = Cores::start().map_err(StartError::Cores)?;
        let stacks = Stacks::open(&settings.stacks, &metrics, &cores).await?;
        let Stacks { resources, database, delivery, servers, memory, in_flight, relays } = stacks;
        let memcached = servers.as_ref().map(|(memcached, _)| memcached.clone());
        for relay in relays {
            tokio::spawn(relay.run());
        }
        let draining = watch::Sender::new(false);
        let worker = queue::start(settings, &queue, &resources, &metrics, draining.subscribe());
        let connections = metrics.edge.clone();
        let context = Context {
            users: Users::new(database.clone(), delivery.clone()),
            sessions: Sessions::new(memcached.clone(), settings.session_ttl),
            cookies_secure: !settings.listen.ip().is_loopback(),
            operator: Operator::new(Equipment {
                resources: resources.clone(),
                memory,
                servers,
                database,
                delivery: delivery.clone(),
            }),
            resources,
            delivery,
            queue,
            access,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            metrics,
            draining: draining.subscribe(),
        };
        let front = Arc::new(http::front(context, origins));
        let limits = Limits {
            connections_per_address: settings.connections_per_address,
            ..Limits::default()
        };
        Ok(Self { cores, front, limits, connections, draining, worker, in_flight, memcached })
    }

    /// Serves on `listener` until `stop` is ready, with the grace that requests in flight have then.
    ///
    /// # Errors
    /// Only if the listener can't be used at all; a failed connection is that connection's affair.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = Duration>,
    ) -> io::Result<()> {
        let front = self.front;
        let service = service_fn(move |request| {
            let answer = front.clone().answer(request);
            async move { Ok(answer.await) }
        });
        let served = serve(
            self.cores.handles().to_vec(),
            listener,
            service,
            self.limits,
            self.connections,
            stop,
        )
        .await;
        self.draining.send_replace(true);
        // A panic has been told by the panic hook.
        let _ = timeout(JOB_GRACE, self.worker).await;
        served
    }

    /// Waits, when nothing is served any more, for what nobody else waits for: loads whose clients have left, and
    /// refreshes. Cut off, each would leave its lease taken, and other replicas' callers waiting for it.
    pub fn settled(&self) -> impl Future<Output = ()> + use<> {
        let (in_flight, memcached) = (self.in_flight.clone(), self.memcached.clone());
        let cores = self.cores.clone();
        async move {
            // What is waited for is on them.
            let _cores = cores;
            // Without a server, what they would store ends with the process.
            if let Some(memcached) = memcached {
                in_flight.landed().await;
                memcached.released().await;
            }
        }
    }

    /// Set it, and the service is not ready any more, and takes no further job.
    pub fn draining(&self) -> impl Fn() + use<> {
        let draining = self.draining.clone();
        move || _ = draining.send_replace(true)
    }
}

fn access(settings: &Settings) -> Result<Access, StartError> {
    let token = settings.api_token.as_ref();
    if token.is_some_and(|token| !token.is_sound()) {
        let takes = "it takes letters, digits and -._~+/=";
        return Err(StartError::invalid("--api-token <TOKEN>", takes));
    }
    let takes =
        "it takes names and addresses such as cache.example.com, without a scheme or a path";
    let host = |text: &String| {
        Host::parse(text.as_bytes())
            .ok_or_else(|| StartError::refused(text, "--host <NAMES>", takes))
    };
    let hosts: Vec<_> = settings.host.iter().map(host).collect::<Result<_, _>>()?;
    let access = Access::new(token.map(Secret::reveal), settings.listen, &hosts);
    if matches!(access, Access::Closed) {
        tracing::warn!(
            listen = %settings.listen,
            "no API token is set and other machines can reach this: writes, sessions, jobs and the \
             control of the cache are closed"
        );
    }
    Ok(access)
}

fn origins(texts: &[String]) -> Result<Option<Origins>, StartError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let takes = "it takes origins such as https://app.example.com, or * alone";
    let refused = |text: &str| StartError::refused(text, "--cors-origin <ORIGINS>", takes);
    Origins::parse(texts).map(Some).map_err(refused)
}
