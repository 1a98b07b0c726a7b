//! The settings: flags, environment variables, defaults, and what each takes.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use aside_edge::PerAddress;
use clap::{ArgAction, Args, ValueEnum, builder::RangedU64ValueParser};

/// Settings of the service. Durations are written as `500ms`, `10s`, `5m`.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address to serve on; port 0 picks a free one
    #[arg(long, env = "ASIDE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen, value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Further hosts that requests may be for, comma-separated or repeated: the names by which a proxy on this machine
    /// is reached. Without an API token, a loopback address answers only requests for localhost, for itself, and for these
    #[arg(long, env = "ASIDE_HOST", value_delimiter = ',', value_name = "NAMES")]
    pub host: Vec<String>,

    /// Origins whose pages may read the answers, comma-separated or repeated, or `*` for all; without it, none may
    #[arg(long, env = "ASIDE_CORS_ORIGIN", value_delimiter = ',', value_name = "ORIGINS")]
    pub cors_origin: Vec<String>,

    /// Connections that one address, or one /64 of IPv6, may have open: `half` of all, a number, or `all`, for a trusted
    /// proxy; one more gets 503
    #[arg(long, env = "ASIDE_CONNECTIONS_PER_ADDRESS", default_value = "half", value_parser = per_address, value_name = "COUNT")]
    pub connections_per_address: PerAddress,

    /// The cache and what is behind it.
    #[command(flatten)]
    pub stacks: StackSettings,

    /// Life of a session from its last use, in whole seconds
    #[arg(long, env = "ASIDE_SESSION_TTL", default_value = "30m", value_parser = ttl, value_name = "DURATION")]
    pub session_ttl: Duration,

    /// Token that writes, sessions, jobs and the control of the cache must bring as `Authorization: Bearer ...`;
    /// without one they are open on a loopback address and closed on any other
    // One that begins with `-` is a token, too: taken for a flag it would be repeated in the complaint.
    #[arg(
        long,
        env = "ASIDE_API_TOKEN",
        allow_hyphen_values = true,
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub api_token: Option<Secret>,

    /// The queue of jobs.
    #[command(flatten)]
    pub queue: QueueSettings,

    /// Work the queue of jobs in this service, too
    #[arg(long, env = "ASIDE_WORK_JOBS", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    pub work_jobs: bool,

    /// Rest after each job
    #[arg(long, env = "ASIDE_JOB_DELAY", default_value = "1s", value_parser = pause, value_name = "DURATION")]
    pub job_delay: Duration,

    /// Time to go on serving after SIGTERM or Ctrl-C with /readyz saying no, until load balancers have noticed
    #[arg(long, env = "ASIDE_SHUTDOWN_DELAY", default_value = "0s", value_parser = pause, value_name = "DURATION")]
    pub shutdown_delay: Duration,

    /// Time that requests under way have to end after that
    #[arg(long, env = "ASIDE_SHUTDOWN_GRACE", default_value = "20s", value_parser = pause, value_name = "DURATION")]
    pub shutdown_grace: Duration,

    /// Form of the log on standard error; levels by RUST_LOG
    #[arg(long, env = "ASIDE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// Settings of the cache and of what is behind it: also for those who use them without serving.
#[derive(Args, Clone, Debug)]
pub struct StackSettings {
    /// Database, sqlite://PATH or postgres://...; migrated and seeded with 10,000 users on first start
    #[arg(
        long,
        env = "ASIDE_DATABASE",
        hide_env_values = true,
        default_value = "sqlite://aside.db",
        value_name = "URL"
    )]
    pub database: String,

    /// File that declares resources of your own; without it aside.toml in the working directory, if there is one
    #[arg(long, env = "ASIDE_RESOURCES", value_name = "FILE")]
    pub resources: Option<PathBuf>,

    /// The cache.
    #[command(flatten)]
    pub servers: ServerSettings,

    /// Give the database this list of memcached servers in place of the one that it has; processes with the old list
    /// must then be started anew
    #[arg(long)]
    pub adopt_servers: bool,

    /// Fresh life of an entry, in whole seconds; shortened at random by up to 10 %
    #[arg(long, env = "ASIDE_TTL", default_value = "60s", value_parser = ttl, value_name = "DURATION")]
    pub ttl: Duration,

    /// Time after that in which it is served at once while one caller refreshes it, in whole seconds
    #[arg(long, env = "ASIDE_STALE_WHILE_REVALIDATE", default_value = "10s", value_parser = life, value_name = "DURATION")]
    pub stale_while_revalidate: Duration,

    /// Time for which it is kept for the day the database fails, in whole seconds; 0s turns that off
    #[arg(long, env = "ASIDE_STALE_IF_ERROR", default_value = "5m", value_parser = life, value_name = "DURATION")]
    pub stale_if_error: Duration,

    /// Life of "no such user", in whole seconds; 0s does not remember it
    #[arg(long, env = "ASIDE_NEGATIVE_TTL", default_value = "5s", value_parser = life, value_name = "DURATION")]
    pub negative_ttl: Duration,

    /// Time that the query is made to take
    #[arg(long, env = "ASIDE_SLOW_QUERY", default_value = "500ms", value_parser = pause, value_name = "DURATION")]
    pub slow_query: Duration,

    /// Deadline of one load, its wait for a turn included; 504 after it
    #[arg(long, env = "ASIDE_QUERY_TIMEOUT", default_value = "5s", value_parser = timeout, value_name = "DURATION")]
    pub query_timeout: Duration,

    /// Queries that run at once
    #[arg(long, env = "ASIDE_MAX_QUERIES", default_value_t = 8, value_parser = count(1, QUERIES_MAX), value_name = "COUNT")]
    pub max_queries: usize,

    /// Loads that may wait for one of those, if their turn comes in time; the rest get 503 and Retry-After
    #[arg(long, env = "ASIDE_MAX_WAITING", default_value_t = 256, value_parser = count(0, WAITING_MAX), value_name = "COUNT")]
    pub max_waiting: usize,
}

/// Settings of the memcached servers.
#[derive(Args, Clone, Debug)]
pub struct ServerSettings {
    /// memcached servers, comma-separated: host:port or unix:///path; with `none` a service
    /// keeps entries in its own memory only, and a client has no server to ask
    #[arg(
        long,
        env = "ASIDE_MEMCACHED",
        default_value = "127.0.0.1:11211",
        value_delimiter = ',',
        value_name = "SERVERS"
    )]
    pub memcached: Vec<String>,

    /// Deadline of one memcached operation
    #[arg(long, env = "ASIDE_MEMCACHED_TIMEOUT", default_value = "50ms", value_parser = timeout, value_name = "DURATION")]
    pub memcached_timeout: Duration,
}

/// The address of the queue of jobs: all that is needed to put jobs on it.
#[derive(Args, Clone, Debug)]
pub struct QueueAddress {
    /// Queue of jobs: sqlite://PATH, postgres://..., redis://... (rediss:// for TLS); without it, an SQLite
    /// file beside the database, with `-jobs` after its name, or the database itself on PostgreSQL
    #[arg(long, env = "ASIDE_QUEUE", hide_env_values = true, value_name = "URL")]
    pub queue: Option<Secret>,
}

/// Settings of the queue of jobs, for those who work it.
#[derive(Args, Clone, Debug)]
pub struct QueueSettings {
    /// Its address.
    #[command(flatten)]
    pub address: QueueAddress,

    /// Silence of a worker after which its job is given to another, in whole seconds
    #[arg(long, env = "ASIDE_JOB_LEASE", default_value = "30s", value_parser = lease, value_name = "DURATION")]
    pub job_lease: Duration,

    /// Pause before a failed job is tried again, doubled with each attempt
    #[arg(long, env = "ASIDE_JOB_RETRY", default_value = "2s", value_parser = pause, value_name = "DURATION")]
    pub job_retry: Duration,
}

/// A secret: it is written to no log, and not checked by clap, which would repeat it in its complaint.
#[derive(Clone)]
pub struct Secret(String);

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True if it can stand in a header after `Bearer` (`token68` of RFC 9110 §11.2).
    pub fn is_sound(&self) -> bool {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        !self.0.is_empty() && self.0.bytes().all(sound)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// The longest life of anything stored: memcached takes a longer one for a date in 1970.
const LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The longest deadline or pause: one that is longer is a mistake in the unit.
const TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);

/// The shortest lease: it is kept by three heartbeats, and the queues count in whole seconds.
const LEASE_MIN: Duration = Duration::from_secs(3);

/// Most connections to the database, each of which is a thread.
pub(crate) const QUERIES_MAX: u64 = 256;

/// Most connections of one address: more than there can be.
const PER_ADDRESS_MAX: u64 = 1_000_000;

/// Most loads that may wait; each is a request that holds its connection.
pub(crate) const WAITING_MAX: u64 = 100_000;

/// The address that a service listens on.
///
/// # Errors
/// A text that says what it takes.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    let takes = "it takes an IP address and a port, such as 127.0.0.1:8080";
    text.parse().map_err(|_| takes.to_owned())
}

/// The life of something, from a second to thirty days: memcached counts in whole seconds.
///
/// # Errors
/// A text that says what it takes.
pub(crate) fn ttl(text: &str) -> Result<Duration, String> {
    seconds(text, Duration::from_secs(1), LIFE_MAX, "1s to 30d")
}

/// As [`ttl`], but it may be nothing at all.
///
/// # Errors
/// A text that says what it takes.
pub(crate) fn life(text: &str) -> Result<Duration, String> {
    seconds(text, Duration::ZERO, LIFE_MAX, "0s to 30d")
}

/// A deadline, from a millisecond to an hour.
///
/// # Errors
/// A text that says what it takes.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_millis(1), TIMEOUT_MAX, "1ms to 1h")
}

/// A rest or a grace: from nothing to an hour.
///
/// # Errors
/// A text that says what it takes.
pub(crate) fn pause(text: &str) -> Result<Duration, String> {
    duration(text, Duration::ZERO, TIMEOUT_MAX, "0s to 1h")
}

fn lease(text: &str) -> Result<Duration, String> {
    seconds(text, LEASE_MIN, TIMEOUT_MAX, "3s to 1h")
}

/// A duration of whole seconds. A fraction is refused where it would be cut off.
fn seconds(text: &str, least: Duration, most: Duration, range: &str) -> Result<Duration, String> {
    let whole = within(text, least, most).filter(|duration| duration.subsec_nanos() == 0);
    whole.ok_or_else(|| format!("it takes whole seconds from {range}, such as 10s or 5m"))
}

fn duration(text: &str, least: Duration, most: Duration, range: &str) -> Result<Duration, String> {
    let takes = || format!("it takes a duration from {range}, such as 500ms, 10s or 5m");
    within(text, least, most).ok_or_else(takes)
}

fn within(text: &str, least: Duration, most: Duration) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|duration| (least..=most).contains(duration))
}

fn per_address(text: &str) -> Result<PerAddress, String> {
    match text {
        "half" => Ok(PerAddress::Half),
        "all" => Ok(PerAddress::All),
        count => {
            let parsed = count.parse().ok().filter(|count| (1..=PER_ADDRESS_MAX).contains(count));
            parsed.map(PerAddress::AtMost).ok_or_else(|| {
                format!("it takes half, all, or a whole number from 1 to {PER_ADDRESS_MAX}")
            })
        }
    }
}

/// Takes a whole number from `least` to `most`.
fn count(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_from_one_second_to_thirty_days() {
        for text in
            ["999ms", "0s", "31d", "2592001s", "10", "-1s", "", "1e3s", "9999999999999999999s"]
        {
            assert!(ttl(text).is_err(), "{text}");
        }
        assert_eq!(ttl("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(ttl("30d"), Ok(LIFE_MAX));
    }

    #[test]
    fn a_fraction_of_a_second_is_refused_where_it_would_be_cut_off() {
        for takes in [ttl, life, lease] {
            for text in ["29999ms", "29s 1us", "29s 1ns"] {
                let refused = takes(text).unwrap_err();
                assert!(refused.starts_with("it takes whole seconds from "), "{refused}");
            }
            assert_eq!(takes("29s 1000ms"), Ok(Duration::from_secs(30)));
        }
        assert_eq!(pause("1500ms"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_taken_is_said_with_examples_of_it() {
        for (takes, range) in [
            (ttl as fn(&str) -> _, "1s to 30d"),
            (life, "0s to 30d"),
            (lease, "3s to 1h"),
            (timeout, "1ms to 1h"),
            (pause, "0s to 1h"),
        ] {
            let refused = takes("x").unwrap_err();
            let (begin, examples) = refused.split_once(", such as ").unwrap();
            assert!(begin.ends_with(range), "{refused}");
            for example in examples.split(", ").flat_map(|examples| examples.split(" or ")) {
                assert!(takes(example).is_ok(), "{refused}");
            }
        }
    }
}
