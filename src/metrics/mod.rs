//! Counters and histograms, named once. Every label comes from a closed set (`labels`), so that no request
//! can make a new series.

mod histogram;
mod hot_keys;
mod instruments;
mod labels;

use std::fmt;

use aside_edge::EdgeCounters;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry, Unit},
};

pub use self::{
    histogram::Histogram,
    hot_keys::{HotKeys, Hottest},
    instruments::{CacheMetrics, Counts, ServerMetrics},
    labels::{FillResult, JobResult, LoadResult, Outcome},
};

/// Labels of a series, each a name and a value of a closed set: that of the resources, or one of the code's.
type Labels<const N: usize> = [(&'static str, String); N];

/// The label of a memcached server, which the setting names.
type ServerLabel = [(&'static str, String); 1];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All instruments of the process, and the registry that writes them out.
pub struct Metrics {
    gets: Family<Labels<2>, Counter>,
    loads: Family<Labels<2>, Counter>,
    loads_running: Family<Labels<1>, Gauge>,
    loads_waiting: Family<Labels<1>, Gauge>,
    fills: Family<Labels<2>, Counter>,
    jobs: Family<Labels<1>, Counter>,
    hit_seconds: Histograms<Labels<1>>,
    load_seconds: Histograms<Labels<1>>,
    /// The instruments of the HTTP connections.
    pub edge: EdgeCounters,
    batch_size: Histograms<ServerLabel>,
    queue_seconds: Histograms<ServerLabel>,
    failures: Family<ServerLabel, Counter>,
    crosstalk: Family<ServerLabel, Counter>,
    in_service: Family<ServerLabel, Gauge>,
    undelivered: Family<ServerLabel, Gauge>,
    notes_relayed: Family<Labels<1>, Gauge>,
    /// 1 while requests should be sent here, as it was found last.
    pub ready: Gauge,
    /// The keys that are asked for most.
    pub asked: HotKeys,
    /// Those among them that are not in the cache most often.
    pub missed: HotKeys,
    registry: Registry,
}

/// Registers a metric that `help` explains, and returns it.
fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Registers a histogram of seconds for each source.
fn add_seconds(
    registry: &mut Registry,
    name: &str,
    help: &str,
    histogram: fn() -> Histogram,
) -> Histograms<Labels<1>> {
    let family = Histograms::new_with_constructor(histogram);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aside");
        let all = &mut registry;
        let hit = "Time from the request to the answer of a hit";
        let load = "Time of a load, its wait for a permit included";
        let refused = "HTTP connections that were refused, as too many were open";
        let failures = "Round trips and connection attempts that failed";
        let crosstalk = "Replies that nobody had asked for; the connection was dropped";
        let in_service = "1 while the server is used, 0 while its breaker is open";
        let undelivered = "Changes that the last sweep could not tell the server";
        let notes_relayed = "1 while what the triggers of a database note is relayed";
        Self {
            gets: add(all, "cache_gets", "Answers by what the cache did; each get is one"),
            loads: add(all, "loads", "Loads from the source by result"),
            loads_running: add(all, "loads_running", "Loads that occupy the source now"),
            loads_waiting: add(all, "loads_waiting", "Loads that wait for their turn"),
            fills: add(all, "fills", "Values offered to the store by result"),
            jobs: add(all, "jobs", "Attempts at jobs of the queue by result"),
            // To 0.8 s.
            hit_seconds: add_seconds(all, "hit", hit, || Histogram::doubling(25e-6, 16)),
            // To 33 s.
            load_seconds: add_seconds(all, "load", load, || Histogram::doubling(1e-3, 16)),
            edge: EdgeCounters {
                open: add(all, "connections_open", "HTTP connections that are open"),
                refused: add(all, "connections_refused", refused),
            },
            batch_size: {
                // To 256.
                let family = Histograms::new_with_constructor(|| Histogram::doubling(1.0, 9));
                let help = "Operations that shared one round trip";
                all.register("memcached_batch_size", help, family.clone());
                family
            },
            queue_seconds: {
                // To 1.6 s.
                let family = Histograms::new_with_constructor(|| Histogram::doubling(50e-6, 16));
                let help = "Wait of the first operation of each round trip in the own queue";
                all.register_with_unit("memcached_queue", help, Unit::Seconds, family.clone());
                family
            },
            failures: add(all, "memcached_failures", failures),
            crosstalk: add(all, "memcached_crosstalk", crosstalk),
            in_service: add(all, "memcached_in_service", in_service),
            undelivered: add(all, "changes_undelivered", undelivered),
            notes_relayed: add(all, "notes_relayed", notes_relayed),
            ready: add(all, "ready", "1 while requests should be sent here, as /readyz says"),
            asked: HotKeys::default(),
            missed: HotKeys::default(),
            registry,
        }
    }
}

impl Metrics {
    /// The instruments of the stack in front of one source. All series exist from the start, at zero.
    pub fn cache(&self, source: &str) -> CacheMetrics {
        let of_source = [("source", source.to_owned())];
        let counter = |family: &Family<Labels<2>, Counter>, name, word: &str| {
            family.get_or_create_owned(&[("source", source.to_owned()), (name, word.to_owned())])
        };
        let get = |case: Outcome| counter(&self.gets, "outcome", case.word());
        let load = |case: LoadResult| counter(&self.loads, "result", case.word());
        let fill = |case: FillResult| counter(&self.fills, "result", case.word());
        CacheMetrics {
            gets: Counts::new(Outcome::ALL, get),
            loads: Counts::new(LoadResult::ALL, load),
            fills: Counts::new(FillResult::ALL, fill),
            loads_running: self.loads_running.get_or_create_owned(&of_source),
            loads_waiting: self.loads_waiting.get_or_create_owned(&of_source),
            hit_seconds: self.hit_seconds.get_or_create_owned(&of_source),
            load_seconds: self.load_seconds.get_or_create_owned(&of_source),
            asked: self.asked.clone(),
            missed: self.missed.clone(),
        }
    }

    /// The attempts at the jobs that this process works, by their end. All series exist from now on, at zero.
    pub fn jobs(&self) -> Counts<JobResult> {
        let counter =
            |case: JobResult| self.jobs.get_or_create_owned(&[("result", case.word().to_owned())]);
        Counts::new(JobResult::ALL, counter)
    }

    /// The instruments of one memcached server.
    pub fn server(&self, name: &str) -> ServerMetrics {
        let label = [("server", name.to_owned())];
        ServerMetrics {
            batch_size: self.batch_size.get_or_create_owned(&label),
            queue_seconds: self.queue_seconds.get_or_create_owned(&label),
            failures: self.failures.get_or_create_owned(&label),
            crosstalk: self.crosstalk.get_or_create_owned(&label),
            in_service: self.in_service.get_or_create_owned(&label),
            undelivered: self.undelivered.get_or_create_owned(&label),
        }
    }

    /// 1 while what the triggers of this database note is relayed, else 0.
    pub fn notes_relayed(&self, database: &str) -> Gauge {
        self.notes_relayed.get_or_create_owned(&[("database", database.to_owned())])
    }

    /// All instruments in Prometheus' text format (OpenMetrics 1.0).
    ///
    /// # Errors
    /// Only if an instrument can't be written.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_of_a_source_is_there_from_the_start() {
        let metrics = Metrics::default();
        metrics.cache("users").gets.count(Outcome::Hit);
        metrics.server("127.0.0.1:11211").batch_size.observe(3.0);
        let text = metrics.render().unwrap();
        assert!(
            text.contains(r#"aside_cache_gets_total{source="users",outcome="hit"} 1"#),
            "{text}"
        );
        for outcome in Outcome::ALL {
            assert!(text.contains(&format!(r#"outcome="{}""#, outcome.word())), "{text}");
        }
        assert!(text.contains("aside_hit_seconds_bucket"), "{text}");
        assert!(text.contains("aside_memcached_in_service{"), "{text}");
    }
}
