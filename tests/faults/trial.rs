//! One failure under load, from before it begins until all is normal again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use support::{aside::Aside, core, eventually};
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep},
};

use crate::{
    load::{Load, Sample},
    table,
};

/// Back in service within so long; the promise is half of it, and a busy machine has the other half.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// Reads that must be hits one after the other before a failure begins, and after it has ended.
const STEADY_READS: usize = 100;

/// Reads that are looked at while the failure holds.
pub(crate) const READS: usize = 400;

/// A service under load, and what has happened to it so far.
pub(crate) struct Trial<'a> {
    aside: &'a Aside,
    _core: SemaphorePermit<'static>,
    load: Load,
    metrics: String,
    begun_at: Option<Instant>,
    opened_at: Option<Instant>,
    ended_at: Option<Instant>,
}

/// The measurements.
pub(crate) struct Outcome {
    samples: Vec<Sample>,
    before: String,
    after: String,
    begun_at: Instant,
    opened_at: Option<Instant>,
    ended_at: Instant,
    back_after: Duration,
}

impl<'a> Trial<'a> {
    /// Begins the load and waits until all that is asked for again and again comes from memcached.
    pub(crate) async fn start(aside: &'a Aside) -> Self {
        let core = core().await;
        let load = Load::start(aside);
        let trial = Self {
            aside,
            _core: core,
            load,
            metrics: String::new(),
            begun_at: None,
            opened_at: None,
            ended_at: None,
        };
        trial.is_steady(Instant::now()).await;
        Self { metrics: trial.metrics().await, ..trial }
    }

    /// Waits until nearly all of the latest reads, none of which began before `since`, are hits.
    async fn is_steady(&self, since: Instant) {
        eventually("hits again and again", async || {
            self.load.look(|samples| {
                let latest = samples.iter().rev().take(STEADY_READS);
                let latest: Vec<_> = latest.filter(|sample| sample.begun_at >= since).collect();
                let hits = latest.iter().filter(|sample| sample.is_hit()).count();
                // What was never asked for before can be no hit.
                (latest.len() == STEADY_READS && hits * 10 > STEADY_READS * 9).then_some(())
            })
        })
        .await;
    }

    pub(crate) async fn metrics(&self) -> String {
        let metrics = self.aside.get("/metrics").await;
        String::from_utf8(metrics.body.to_vec()).unwrap()
    }

    /// To be called just before the failure is brought about.
    pub(crate) fn begins(&mut self) {
        self.begun_at = Some(Instant::now());
    }

    /// Waits until a server is out of service.
    pub(crate) async fn is_out_of_service(&mut self) {
        eventually("out of service", async || {
            self.aside.states().await.contains(&"out of service".to_owned()).then_some(())
        })
        .await;
        self.opened_at = Some(Instant::now());
    }

    /// Waits for so many more reads.
    pub(crate) async fn reads(&self, count: usize) {
        let enough = self.load.look(<[Sample]>::len) + count;
        let what = format!("{count} more reads");
        eventually(&what, async || (self.load.look(<[Sample]>::len) >= enough).then_some(())).await;
    }

    /// To be called just before the failure is brought to its end.
    pub(crate) fn ends(&mut self) {
        self.ended_at = Some(Instant::now());
    }

    /// Waits until every server is in service and what is asked for comes from memcached again, then
    /// ends the load. The failure that was measured must be over.
    pub(crate) async fn recovers(self) -> Outcome {
        let (begun_at, ended_at) = (self.begun_at.unwrap(), self.ended_at.unwrap());
        let back_at = loop {
            let in_service = self.aside.states().await.iter().all(|state| state == "in service");
            let found = self.load.look(|samples| {
                let mut after = samples.iter().filter(|sample| sample.begun_at >= ended_at);
                after.find(|sample| sample.is_hit()).map(|sample| sample.ended_at)
            });
            if let Some(hit_at) = found
                && in_service
            {
                // With more than one server there are hits all the while.
                break if self.opened_at.is_some() { Instant::now() } else { hit_at };
            }
            assert!(ended_at.elapsed() < RECOVERY_MAX, "not normal after {RECOVERY_MAX:?}");
            sleep(Duration::from_millis(2)).await;
        };
        self.is_steady(back_at).await;
        let after = self.metrics().await;
        Outcome {
            samples: self.load.stop().await,
            before: self.metrics,
            after,
            begun_at,
            opened_at: self.opened_at,
            ended_at,
            back_after: back_at - ended_at,
        }
    }
}

impl Outcome {
    /// Enters the row into the table, after the checks that hold for every failure.
    #[track_caller]
    pub(crate) fn enter(&self, row: &'static str, metric: &str) -> &Self {
        let failed: Vec<_> = self.samples.iter().filter(|sample| sample.status != 200).collect();
        assert!(
            failed.is_empty(),
            "{row}: {} of {} failed: {failed:?}",
            failed.len(),
            self.samples.len()
        );
        let moved = self.moved(metric);
        assert!(moved > 0.0, "{row}: {metric} has not moved");
        table::enter(
            row,
            table::Row {
                reads: self.samples.len(),
                seen: self.seen(),
                added_ms: percentile(
                    self.added(
                        self.begun_at,
                        self.opened_at.unwrap_or(self.ended_at + self.back_after),
                    ),
                    1.0,
                ),
                added_after_p99_ms: self
                    .opened_at
                    .map(|opened_at| percentile(self.added(opened_at, self.ended_at), 0.99)),
                metric: format!("`{metric}` +{moved}"),
                back_after: self.back_after,
            },
        );
        self
    }

    /// By how much a metric has moved, over all its series.
    pub(crate) fn moved(&self, metric: &str) -> f64 {
        sum(&self.after, metric) - sum(&self.before, metric)
    }

    /// Shares of what was answered from when the failure began until all was normal again.
    pub(crate) fn seen(&self) -> BTreeMap<String, f64> {
        let (from, to) = (self.begun_at, self.ended_at + self.back_after);
        let concerned = |sample: &&Sample| sample.ended_at >= from && sample.begun_at < to;
        let held: Vec<_> = self.samples.iter().filter(concerned).collect();
        let mut shares = BTreeMap::new();
        #[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
        for sample in &held {
            *shares.entry(sample.kind.clone()).or_default() += 1.0 / held.len() as f64;
        }
        shares
    }

    /// The number of users who were asked for in all.
    #[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
    pub(crate) fn keys(&self) -> f64 {
        self.samples.iter().map(|sample| sample.id).collect::<BTreeSet<_>>().len() as f64
    }

    fn added(&self, from: Instant, to: Instant) -> Vec<f64> {
        let added =
            self.samples.iter().filter(|sample| from <= sample.begun_at && sample.begun_at < to);
        added.map(|sample| sample.lookup_ms).collect()
    }
}

/// The sum over all series of `metric`, which may have some of its labels: `name{label="value"`.
pub(crate) fn sum(metrics: &str, metric: &str) -> f64 {
    let values = metrics.lines().filter(|line| line.starts_with(metric));
    values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the length")]
fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let place = (share * values.len() as f64).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}
