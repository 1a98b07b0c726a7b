//! The lives of entries and the limits of their source: all that differs from source to source.

use std::time::Duration;

use super::Ask;

/// The shortest time, in seconds, for which an entry may be fresh: memcached counts whole seconds.
pub const TTL_S_MIN: u32 = 1;

/// The longest life of an entry, stale time included, in seconds. memcached takes more for a date in 1970.
pub const LIFE_S_MAX: u32 = 30 * 24 * 60 * 60;

/// Parts of the TTL, in per cent, by which it is shortened at random, so that entries stored together
/// do not lapse together.
const JITTER_PERCENT: u32 = 10;

/// Seconds by which a lease outlives the deadline of its load: one for memcached's whole seconds, one to fill.
const LEASE_SLACK_S: u32 = 2;

/// The form of all bodies of a source. What a store has in another form is no entry of its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// Any bytes.
    Any,
}

impl Form {
    /// Looks at the first and the last byte only: a hit is never parsed.
    pub(super) fn fits(self, body: &[u8]) -> bool {
        match (self, body) {
            (Self::Object, [b'{', .., b'}']) | (Self::Array, [b'[', .., b']']) => true,
            (form, body) => form == Self::Any && !body.is_empty(),
        }
    }
}

/// The form, the limits and the lifetimes of one source.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The form of its bodies.
    pub form: Form,
    /// The time for which an entry is fresh.
    pub ttl: Duration,
    /// The time after that for which it is served at once while one caller refreshes it.
    pub stale_while_revalidate: Duration,
    /// The time after its fresh life for which it may stand in for a source that fails.
    pub stale_if_error: Duration,
    /// The time for which "no such thing" is remembered; zero does not remember it.
    pub negative_ttl: Duration,
    /// Deadline of one load, the wait for a permit included.
    pub load_timeout: Duration,
    /// Loads that run at once.
    pub loads_max: usize,
    /// Loads that may wait for a permit; one more is refused at once.
    pub waiting_max: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            form: Form::Object,
            ttl: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(10),
            stale_if_error: Duration::from_secs(300),
            negative_ttl: Duration::from_secs(5),
            load_timeout: Duration::from_secs(5),
            loads_max: 8,
            waiting_max: 256,
        }
    }
}

impl Policy {
    /// Says what is wrong with these lifetimes, if anything.
    ///
    /// # Errors
    /// One sentence without a full stop, for the line that refuses a setting.
    pub fn check(&self) -> Result<(), String> {
        let life = self.ttl + self.stale_while_revalidate.max(self.stale_if_error);
        if self.ttl < Duration::from_secs(TTL_S_MIN.into()) {
            Err("the TTL is shorter than 1s".to_owned())
        } else if life > Duration::from_secs(LIFE_S_MAX.into()) {
            Err("the TTL and the stale time after it are together longer than 30 days".to_owned())
        } else if self.loads_max == 0 {
            Err("at least one load must be allowed".to_owned())
        } else {
            Ok(())
        }
    }

    /// Seconds for which an entry is kept after its fresh life.
    pub fn kept_stale_s(&self) -> u32 {
        seconds(self.stale_while_revalidate.max(self.stale_if_error))
    }

    /// The fresh life of one entry in seconds: the TTL less up to a tenth of it, never less than one second.
    pub(crate) fn jittered_ttl_s(&self) -> u32 {
        let ttl_s = seconds(self.ttl).max(TTL_S_MIN);
        let jitter_s = ttl_s * JITTER_PERCENT / 100;
        (ttl_s - fastrand::u32(0..=jitter_s)).max(TTL_S_MIN)
    }

    /// The terms of every look: a lease on what is absent, and, if `refresh`, the token on what is stale.
    pub(crate) fn ask(&self, refresh: bool) -> Ask {
        let kept_s = self.kept_stale_s();
        Ask {
            lease_s: Some(seconds(self.load_timeout) + 1 + LEASE_SLACK_S),
            refresh_s: (refresh && kept_s > 0).then_some(kept_s),
        }
    }
}

/// Whole seconds of `duration`, cut to what an entry may live, so that sums never overflow.
pub(super) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).min(LIFE_S_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_shortens_a_life_by_at_most_a_tenth_and_never_below_a_second() {
        for ttl_s in [1, 2, 9, 10, 60, 3600, LIFE_S_MAX] {
            let policy = Policy { ttl: Duration::from_secs(ttl_s.into()), ..Policy::default() };
            for _ in 0..1000 {
                let life_s = policy.jittered_ttl_s();
                assert!(life_s >= 1 && life_s <= ttl_s && life_s >= ttl_s - ttl_s / 10);
            }
        }
    }

    #[test]
    fn lives_under_a_second_or_over_thirty_days_are_refused() {
        let day = Duration::from_secs(24 * 60 * 60);
        let with = |ttl, stale_if_error| Policy { ttl, stale_if_error, ..Policy::default() };
        assert!(with(Duration::from_millis(999), Duration::ZERO).check().is_err());
        assert!(with(day * 30, Duration::from_secs(1)).check().is_err());
        assert!(
            with(day * 30, Duration::ZERO).check().is_err(),
            "the default still keeps it 10s stale"
        );
        assert!(with(day * 29, day).check().is_ok());
    }

    #[test]
    fn a_lease_outlives_the_deadline_of_its_load() {
        let policy = Policy { load_timeout: Duration::from_millis(5500), ..Policy::default() };
        assert!(
            Duration::from_secs(policy.ask(true).lease_s.unwrap().into()) > policy.load_timeout
        );
    }
}
