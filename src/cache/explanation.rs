//! One item explained: what an onlooker sees of it without touching it, and what that means.

use serde::Serialize;

use super::{Flags, SCHEMA};

/// An item as a store shows it to an onlooker: not its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Bytes of the value; none while it is being loaded.
    pub bytes: u64,
    /// Seconds until it is dropped; `None` if it is kept for ever.
    pub left_s: Option<u32>,
    /// The 32 bits stored beside the value; see [`Flags`].
    pub flags: u32,
    /// The version, which changes with every change.
    pub version: u64,
    /// True if it was ever read; `None` if the store does not know.
    pub was_read: Option<bool>,
    /// Seconds since the last use that the store has noted, at first that of storing it.
    pub noted_s: Option<u64>,
    /// Somebody was told to load or to refresh it.
    pub claimed: bool,
}

/// The condition of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Nothing is there.
    #[default]
    Absent,
    /// A placeholder: somebody holds its lease and loads it.
    Loading,
    /// An entry in its fresh life.
    Fresh,
    /// An entry past it: served while it is refreshed, or because the source fails.
    Stale,
    /// An entry that says "no such thing".
    Negative,
    /// Something else: another program's item, a session, or what another version of Aside has stored.
    Plain,
}

/// One item explained; the default is that nothing is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its condition.
    pub state: Condition,
    /// Bytes of its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Seconds since it was stored, if that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// Seconds for which it is fresh; negative once it is stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_s: Option<i64>,
    /// Seconds until it is dropped; absent if it is kept for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u32>,
    /// True if somebody was told to load or to refresh it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_given: Option<bool>,
    /// True if it was ever read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was_read: Option<bool>,
    /// Seconds since the last read that was noted: memcached notes the second one, and after that only some, so
    /// that the last read may have been later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read_s: Option<u64>,
}

impl Explanation {
    /// Explains `item` where entries are kept for `kept_stale_s` seconds after their fresh life.
    pub fn of(item: Option<Item>, kept_stale_s: u32) -> Self {
        let Some(item) = item else { return Self::default() };
        let flags = Flags::unpack(item.flags);
        let entry = item.left_s.filter(|_| flags.schema == SCHEMA && item.bytes > 0);
        let fresh_s = entry.map(|left_s| flags.fresh_s(left_s, kept_stale_s));
        let state = match fresh_s {
            None if item.bytes == 0 && item.claimed => Condition::Loading,
            None => Condition::Plain,
            Some(_) if flags.negative => Condition::Negative,
            Some(fresh_s) if fresh_s < 0 => Condition::Stale,
            Some(_) => Condition::Fresh,
        };
        // The look that makes a placeholder counts as a read.
        let was_read = item.was_read.filter(|_| state != Condition::Loading);
        // What was never read was last used when it was stored.
        let stored_s = item.noted_s.filter(|_| was_read == Some(false));
        let of_entry = entry.map(|left_s| flags.lifetime_s.saturating_sub(left_s).into());
        Self {
            state,
            bytes: Some(item.bytes),
            age_s: of_entry.or(stored_s),
            fresh_s,
            left_s: item.left_s,
            lease_given: Some(item.claimed),
            was_read,
            last_read_s: item.noted_s.filter(|_| was_read == Some(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: u64, flags: u32, left_s: Option<u32>, claimed: bool) -> Item {
        let (was_read, noted_s) = (Some(true), Some(4));
        Item { bytes, left_s, flags, version: 7, was_read, noted_s, claimed }
    }

    fn flags(negative: bool, lifetime_s: u32) -> u32 {
        Flags { schema: SCHEMA, negative, lifetime_s }.pack()
    }

    fn state(item: Item) -> (Condition, Option<i64>) {
        let explanation = Explanation::of(Some(item), 300);
        (explanation.state, explanation.fresh_s)
    }

    #[test]
    fn an_entry_is_fresh_until_less_is_left_than_it_is_kept_stale() {
        let entry = |left_s| item(9, flags(false, 360), Some(left_s), false);
        assert_eq!(state(entry(342)), (Condition::Fresh, Some(42)));
        assert_eq!(state(entry(300)), (Condition::Fresh, Some(0)));
        assert_eq!(state(entry(299)), (Condition::Stale, Some(-1)));
        assert_eq!(Explanation::of(Some(entry(342)), 300).age_s, Some(18));
    }

    #[test]
    fn no_such_thing_is_never_stale() {
        let negative = item(4, flags(true, 5), Some(2), false);
        assert_eq!(state(negative), (Condition::Negative, Some(2)));
    }

    #[test]
    fn only_a_placeholder_whose_lease_is_out_is_being_loaded() {
        assert_eq!(state(item(0, 0, Some(8), true)).0, Condition::Loading);
        assert_eq!(state(item(0, 0, Some(8), false)).0, Condition::Plain, "stored empty");
        assert_eq!(Explanation::of(None, 300).state, Condition::Absent);
    }

    #[test]
    fn what_others_have_stored_is_plain_and_its_age_is_known_until_it_is_read() {
        let older = Flags { schema: SCHEMA - 1, negative: false, lifetime_s: 60 }.pack();
        for (flags, left_s) in [(0, None), (2, Some(60)), (older, Some(60))] {
            let plain = item(9, flags, left_s, false);
            assert_eq!(state(plain), (Condition::Plain, None));
            let read = Explanation::of(Some(plain), 300);
            assert_eq!((read.age_s, read.last_read_s), (None, Some(4)));
            let unread = Item { was_read: Some(false), ..plain };
            let unread = Explanation::of(Some(unread), 300);
            assert_eq!((unread.age_s, unread.last_read_s), (Some(4), None));
        }
    }
}
