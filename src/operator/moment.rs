//! The figures of one moment, for those who watch: one look and one text for all of them.

use std::{collections::BTreeMap, time::SystemTime};

use serde::Serialize;
use tokio::time::Instant;

use super::{Moment, Operator, Stats};
use crate::{
    metrics::{Histogram, Hottest},
    resources::Resource,
};

/// Keys that are shown of those that are asked for most, and of those that miss most.
const KEYS_SHOWN: usize = 10;

#[derive(Serialize)]
struct Figures<'a> {
    at_ms: u128,
    #[serde(flatten)]
    stats: &'a Stats,
    resources: BTreeMap<&'a str, Going<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Keys>,
}

/// A resource, and its loads at the moment.
#[derive(Serialize)]
struct Going<'a> {
    path: &'a str,
    fresh_s: u64,
    stale_while_revalidate_s: u64,
    stale_if_error_s: u64,
    running: i64,
    running_max: usize,
    waiting: i64,
    waiting_max: usize,
    hits: Times,
    loads: Times,
}

/// Times since the start: the number up to each end, and of those that are longer, and the sum.
#[derive(Serialize)]
struct Times {
    ends_s: Vec<f64>,
    counts: Vec<u64>,
    sum_s: f64,
}

#[derive(Clone, Serialize)]
struct Keys {
    asked: Hottest,
    missed: Hottest,
}

impl Operator {
    /// The figures of this moment. However many watch, there is one look in half a second.
    pub async fn moment(&self) -> Moment {
        let own = self.clone();
        self.moment.look(async move { own.figures_now().await }).await.unwrap_or_default()
    }

    async fn figures_now(&self) -> Moment {
        let (stats, now) = (self.stats().await, Instant::now());
        let resources = &self.parts.resources;
        // They are the same for all resources.
        let keys = resources.first().map(|Resource { metrics, .. }| Keys {
            asked: metrics.asked.hottest(KEYS_SHOWN, now),
            missed: metrics.missed.hottest(KEYS_SHOWN, now),
        });
        let text = |keys| {
            let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let resources = resources.iter().map(|it| (&*it.definition.name, Going::of(it)));
            let (stats, resources) = (&stats, resources.collect());
            let figures = Figures { at_ms: at.as_millis(), stats, resources, keys };
            serde_json::to_string(&figures).unwrap_or_default().into()
        };
        Moment { open: text(None), whole: text(keys) }
    }
}

impl<'a> Going<'a> {
    fn of(Resource { definition, metrics, .. }: &'a Resource) -> Self {
        let policy = &definition.policy;
        Self {
            path: definition.signature.path(),
            fresh_s: policy.ttl.as_secs(),
            stale_while_revalidate_s: policy.stale_while_revalidate.as_secs(),
            stale_if_error_s: policy.stale_if_error.as_secs(),
            running: metrics.loads_running.get(),
            running_max: policy.loads_max,
            waiting: metrics.loads_waiting.get(),
            waiting_max: policy.waiting_max,
            hits: Times::of(&metrics.hit_seconds),
            loads: Times::of(&metrics.load_seconds),
        }
    }
}

impl Times {
    fn of(times: &Histogram) -> Self {
        Self { ends_s: times.ends().collect(), counts: times.counts(), sum_s: times.sum() }
    }
}
