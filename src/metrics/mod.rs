//! Counters and histograms, named once. Every label comes from a closed set (`labels`), so that no request
//! can make a new series.

mod instruments;
mod labels;

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub use self::{
    instruments::{CacheMetrics, EdgeCounters, JobMetrics, ServerMetrics},
    labels::{FillResult, JobResult, LoadResult, Outcome},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    source: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    source: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabel {
    server: String,
}

/// All instruments of the process, and the registry that writes them out.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    gets: Family<OutcomeLabels, Counter>,
    loads: Family<ResultLabels, Counter>,
    loads_running: Family<SourceLabel, Gauge>,
    fills: Family<ResultLabels, Counter>,
    jobs: Family<JobLabel, Counter>,
    hit_seconds: Family<SourceLabel, Histogram, fn() -> Histogram>,
    load_seconds: Family<SourceLabel, Histogram, fn() -> Histogram>,
    servers: ServerFamilies,
    edge: Arc<EdgeCounters>,
}

#[derive(Clone, Debug)]
struct ServerFamilies {
    batch_size: Family<ServerLabel, Histogram, fn() -> Histogram>,
    failures: Family<ServerLabel, Counter>,
    crosstalk: Family<ServerLabel, Counter>,
    in_service: Family<ServerLabel, Gauge>,
}

/// From 25 µs to 0.8 s: what a hit may take.
fn hit_histogram() -> Histogram {
    Histogram::new(exponential_buckets(25e-6, 2.0, 16))
}

/// From 1 ms to 33 s: what a load may take.
fn load_histogram() -> Histogram {
    Histogram::new(exponential_buckets(1e-3, 2.0, 16))
}

/// From 1 to 256 operations in a round trip.
fn batch_histogram() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 9))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aside");
        let gets = Family::default();
        registry.register(
            "cache_gets",
            "Answers by what the cache did; each get is one",
            gets.clone(),
        );
        let loads = Family::default();
        registry.register("loads", "Loads from the source by result", loads.clone());
        let loads_running = Family::default();
        let help = "Loads that occupy the source now";
        registry.register("loads_running", help, loads_running.clone());
        let fills = Family::default();
        registry.register("fills", "Values offered to the store by result", fills.clone());
        let jobs = Family::default();
        registry.register("jobs", "Attempts at jobs of the queue by result", jobs.clone());
        let hit_seconds = Family::new_with_constructor(hit_histogram as fn() -> Histogram);
        let help = "Time from the request to the answer of a hit";
        registry.register_with_unit("hit", help, Unit::Seconds, hit_seconds.clone());
        let load_seconds = Family::new_with_constructor(load_histogram as fn() -> Histogram);
        let help = "Time of a load, its wait for a permit included";
        registry.register_with_unit("load", help, Unit::Seconds, load_seconds.clone());
        let servers = ServerFamilies::registered(&mut registry);
        let edge = Arc::<EdgeCounters>::default();
        let help = "HTTP connections that are open";
        registry.register("connections_open", help, edge.open.clone());
        let help = "HTTP connections that were refused, as too many were open";
        registry.register("connections_refused", help, edge.refused.clone());
        Self {
            registry,
            gets,
            loads,
            loads_running,
            fills,
            jobs,
            hit_seconds,
            load_seconds,
            servers,
            edge,
        }
    }
}

impl ServerFamilies {
    fn registered(registry: &mut Registry) -> Self {
        let families = Self {
            batch_size: Family::new_with_constructor(batch_histogram as fn() -> Histogram),
            failures: Family::default(),
            crosstalk: Family::default(),
            in_service: Family::default(),
        };
        let registry = registry.sub_registry_with_prefix("memcached");
        let help = "Operations that shared one round trip";
        registry.register("batch_size", help, families.batch_size.clone());
        let help = "Round trips and connection attempts that failed";
        registry.register("failures", help, families.failures.clone());
        let help = "Replies that nobody had asked for; the connection was dropped";
        registry.register("crosstalk", help, families.crosstalk.clone());
        let help = "1 while the server is used, 0 while its breaker is open";
        registry.register("in_service", help, families.in_service.clone());
        families
    }
}

impl Metrics {
    /// The instruments of the stack in front of one source. All series exist from the start, at zero.
    pub fn cache(&self, source: &'static str) -> CacheMetrics {
        let counter = |family: &Family<ResultLabels, Counter>, result| {
            family.get_or_create_owned(&ResultLabels { source, result })
        };
        CacheMetrics {
            gets: Outcome::ALL
                .iter()
                .map(|outcome| OutcomeLabels { source, outcome: outcome.word() })
                .map(|labels| self.gets.get_or_create_owned(&labels))
                .collect(),
            loads: LoadResult::ALL.iter().map(|case| counter(&self.loads, case.word())).collect(),
            loads_running: self.loads_running.get_or_create_owned(&SourceLabel { source }),
            fills: FillResult::ALL.iter().map(|case| counter(&self.fills, case.word())).collect(),
            hit_seconds: self.hit_seconds.get_or_create_owned(&SourceLabel { source }),
            load_seconds: self.load_seconds.get_or_create_owned(&SourceLabel { source }),
        }
    }

    /// The instruments of the jobs that this process works. All series exist from now on, at zero.
    pub fn jobs(&self) -> JobMetrics {
        let counter =
            |case: &JobResult| self.jobs.get_or_create_owned(&JobLabel { result: case.word() });
        JobMetrics { jobs: JobResult::ALL.iter().map(counter).collect() }
    }

    /// The instruments of the HTTP connections.
    pub fn edge(&self) -> Arc<EdgeCounters> {
        self.edge.clone()
    }

    /// The instruments of one memcached server.
    pub fn server(&self, name: &str) -> ServerMetrics {
        let label = ServerLabel { server: name.to_owned() };
        ServerMetrics {
            batch_size: self.servers.batch_size.get_or_create_owned(&label),
            failures: self.servers.failures.get_or_create_owned(&label),
            crosstalk: self.servers.crosstalk.get_or_create_owned(&label),
            in_service: self.servers.in_service.get_or_create_owned(&label),
        }
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
        metrics.cache("users").get(Outcome::Hit);
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
