//! The entry that a value is: its client flags, its age, and for how long it is fresh.

use bytes::Bytes;

use super::{Found, Keep, Policy, Value, policy::seconds};

/// Version of what Aside stores. An entry of any other version is a miss.
pub const SCHEMA: u8 = 1;

/// The body stored for "there is no such thing": JSON for other clients, and never empty.
const NEGATIVE_BODY: &[u8] = b"null";

/// Memcached's 32 client flags: schema version (8 bits), negative (1 bit), lifetime in seconds (23 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// [`SCHEMA`] of the writer.
    pub schema: u8,
    /// The entry says that there is no such thing.
    pub negative: bool,
    /// Seconds that the entry was given to live; its age is this less what is left.
    pub lifetime_s: u32,
}

impl Flags {
    const NEGATIVE: u32 = 1 << 23;
    const LIFETIME: u32 = Self::NEGATIVE - 1;

    /// The flags as stored. A lifetime past 97 days is cut; [`Policy`] allows no more than 30.
    pub fn pack(self) -> u32 {
        let negative = if self.negative { Self::NEGATIVE } else { 0 };
        u32::from(self.schema) << 24 | negative | self.lifetime_s.min(Self::LIFETIME)
    }

    /// Seconds for which an entry is fresh that has `left_s` to live; negative once it is stale. "No such thing" never is.
    pub(super) fn fresh_s(self, left_s: u32, kept_stale_s: u32) -> i64 {
        i64::from(left_s) - if self.negative { 0 } else { i64::from(kept_stale_s) }
    }

    /// The flags as read back.
    pub fn unpack(bits: u32) -> Self {
        Self {
            schema: bits.to_be_bytes()[0],
            negative: bits & Self::NEGATIVE != 0,
            lifetime_s: bits & Self::LIFETIME,
        }
    }
}

/// A stored value that was found sound, with its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The body; `None` says that there is no such thing.
    pub body: Option<Bytes>,
    /// Seconds since it was stored.
    pub age_s: u32,
    /// Seconds for which it is fresh; negative once it is stale.
    pub fresh_s: i64,
}

impl Entry {
    /// Reads what a look found. `None` if it is of another schema or form: a miss.
    pub fn read(found: &Value, policy: &Policy) -> Option<Self> {
        let flags = Flags::unpack(found.flags);
        let sound = if flags.negative {
            found.body == NEGATIVE_BODY
        } else {
            policy.form.fits(&found.body)
        };
        if flags.schema != SCHEMA || !sound {
            return None;
        }
        Some(Self {
            body: (!flags.negative).then(|| found.body.clone()),
            age_s: flags.lifetime_s.saturating_sub(found.left_s),
            fresh_s: flags.fresh_s(found.left_s, policy.kept_stale_s()),
        })
    }
}

/// The value that is stored of what a load has found; `None` if the policy or the source keeps nothing of the kind, or it
/// is empty, as a placeholder is.
pub(crate) fn value(found: &Found, policy: &Policy) -> Option<Value> {
    let at_most_s = match found.keep {
        Keep::AsPolicy => u32::MAX,
        Keep::AtMost(longest) => seconds(longest),
        Keep::Unshared => 0,
    };
    let (body, fresh_s, kept_s) = match &found.body {
        Some(body) => (body.clone(), policy.jittered_ttl_s(), policy.kept_stale_s()),
        None => (Bytes::from_static(NEGATIVE_BODY), seconds(policy.negative_ttl), 0),
    };
    let fresh_s = fresh_s.min(at_most_s);
    if fresh_s == 0 || body.is_empty() {
        return None;
    }
    let (negative, lifetime_s) = (found.body.is_none(), fresh_s + kept_s);
    let flags = Flags { schema: SCHEMA, negative, lifetime_s }.pack();
    Some(Value { body, flags, left_s: lifetime_s })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::Form;

    fn found(body: &'static str, flags: Flags, left_s: u32) -> Value {
        Value { body: Bytes::from_static(body.as_bytes()), flags: flags.pack(), left_s }
    }

    fn flags(negative: bool, lifetime_s: u32) -> Flags {
        Flags { schema: SCHEMA, negative, lifetime_s }
    }

    #[test]
    fn flags_come_back_as_they_were_stored() {
        for given in [flags(false, 360), flags(true, 5), flags(false, Flags::LIFETIME)] {
            assert_eq!(Flags::unpack(given.pack()), given);
        }
    }

    #[test]
    fn an_entry_knows_its_age_and_when_it_became_stale() {
        let policy = Policy { stale_if_error: Duration::from_secs(300), ..Policy::default() };
        let entry = Entry::read(&found(r#"{"id":1}"#, flags(false, 360), 342), &policy).unwrap();
        assert_eq!((entry.age_s, entry.fresh_s), (18, 42));
        let entry = Entry::read(&found(r#"{"id":1}"#, flags(false, 360), 297), &policy).unwrap();
        assert_eq!((entry.age_s, entry.fresh_s), (63, -3));
    }

    #[test]
    fn a_negative_entry_is_fresh_until_it_is_gone() {
        let entry = Entry::read(&found("null", flags(true, 5), 2), &Policy::default()).unwrap();
        assert_eq!((entry.body, entry.age_s, entry.fresh_s), (None, 3, 2));
    }

    #[test]
    fn another_schema_and_another_form_are_misses() {
        let foreign = Flags { schema: SCHEMA + 1, negative: false, lifetime_s: 60 };
        let policy = Policy::default();
        for unsound in [
            found(r#"{"id":1}"#, foreign, 60),
            Value { body: Bytes::from_static(b"{}"), flags: 0, left_s: 60 },
            found("hello", flags(false, 60), 60),
            found("[]", flags(false, 60), 60),
            found("", flags(false, 60), 60),
            found("{", flags(false, 60), 60),
            found(r#"{"id":1}"#, flags(true, 60), 60),
        ] {
            assert_eq!(Entry::read(&unsound, &policy), None, "{unsound:?}");
        }
    }

    #[test]
    fn a_stored_value_reads_back_as_the_load_gave_it() {
        let policy = Policy { form: Form::Any, ..Policy::default() };
        let bodies = [br#"{"id":1}"#.as_slice(), b"null", b"[]", b"<p>"].map(Bytes::from_static);
        for body in bodies.map(Some).into_iter().chain([None]) {
            let value = value(&body.clone().into(), &policy).unwrap();
            let entry = Entry::read(&value, &policy).unwrap();
            assert_eq!((entry.body, entry.age_s), (body, 0));
            assert!(entry.fresh_s > 0);
        }
        let forgetful = Policy { negative_ttl: Duration::ZERO, ..policy };
        assert_eq!(value(&None.into(), &forgetful), None);
        assert_eq!(
            value(&Some(Bytes::new()).into(), &forgetful),
            None,
            "it would be a placeholder"
        );
    }

    #[test]
    fn a_source_shortens_a_life_and_never_lengthens_it() {
        let (body, policy) = (Some(Bytes::from_static(b"{}")), Policy::default());
        let lifetime_s = |keep| Some(value(&Found { body: body.clone(), keep }, &policy)?.left_s);
        let at_most = |millis| lifetime_s(Keep::AtMost(Duration::from_millis(millis)));
        assert_eq!(at_most(10_000), Some(310));
        assert_eq!((at_most(999), lifetime_s(Keep::Unshared)), (None, None));
        assert!(at_most(1_000_000).unwrap() <= 360);
    }
}
