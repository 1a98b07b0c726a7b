//! A histogram that many threads count in at once, and that can be read.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

/// Counts in buckets of which each ends at twice the end of the one before; the last has none. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    first: f64,
    counts: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram of so many buckets with an end, the first at `first`.
    pub(super) fn doubling(first: f64, buckets: usize) -> Self {
        let counts = (0..=buckets).map(|_| AtomicU64::default()).collect();
        Self(Arc::new(Buckets { first, counts, sum: AtomicU64::default() }))
    }

    /// Counts `value`.
    pub fn observe(&self, value: f64) {
        let Buckets { counts, sum, .. } = &*self.0;
        let place = self.ends().take_while(|end| value > *end).count();
        counts[place].fetch_add(1, Relaxed);
        let _ =
            sum.fetch_update(Relaxed, Relaxed, |sum| Some((f64::from_bits(sum) + value).to_bits()));
    }

    /// The ends of the buckets that have one.
    pub fn ends(&self) -> impl Iterator<Item = f64> {
        let Buckets { first, counts, .. } = &*self.0;
        std::iter::successors(Some(*first), |end| Some(end * 2.0)).take(counts.len() - 1)
    }

    /// The number of values in each bucket, that without an end last.
    pub fn counts(&self) -> Vec<u64> {
        self.0.counts.iter().map(|count| count.load(Relaxed)).collect()
    }

    /// The sum of all values.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum.load(Relaxed))
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.counts();
        // The library writes the greatest number as "+Inf".
        let ends = self.ends().chain([f64::MAX]);
        let buckets: Vec<_> = ends.zip(counts.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum(), counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_the_first_bucket_that_ends_at_it_or_later() {
        let histogram = Histogram::doubling(1.0, 3);
        for value in [0.0, 1.0, 1.1, 2.0, 4.0, 4.1, 1e9] {
            histogram.observe(value);
        }
        assert_eq!(histogram.ends().collect::<Vec<_>>(), [1.0, 2.0, 4.0]);
        assert_eq!(histogram.counts(), [2, 2, 1, 2]);
        assert!((histogram.sum() - 1e9 - 12.2).abs() < 1e-3);
    }
}
