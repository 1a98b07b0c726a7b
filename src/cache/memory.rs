//! The store in this process's own memory: the same leases, without a server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{self, Duration},
};

use bytes::Bytes;
use moka::{Expiry, ops::compute::Op, sync::Cache};
use tokio::time::Instant;

use super::{
    Ask, Filled, Item, Key, Lease, Look, Origin, Places, Store, StoreError, Token, Value,
    policy::seconds,
};

/// Bytes that an entry takes besides its key and body: the slot, the map's node, its place in the queues.
const OVERHEAD_BYTES: u32 = 200;

/// A [`Store`] in memory, bounded in bytes; past its bound it drops what is least used. Clones share it.
///
/// It drops silently, as memcached does: an evicted placeholder voids its lease.
#[derive(Clone, Debug)]
pub struct Memory {
    slots: Cache<Key, Slot>,
    versions: Arc<AtomicU64>,
    origin: Origin,
    life_max: Duration,
    made_at: Instant,
}

#[derive(Clone, Debug)]
struct Slot {
    cas: u64,
    /// As it was stored.
    value: Value,
    stored_at: Instant,
    /// The time from which it is gone for every look; moka's own expiry only frees the memory.
    gone_at: Instant,
    /// Somebody was told to load or to refresh it. An empty value of which this is so is a placeholder.
    is_claimed: bool,
}

impl Memory {
    /// A store of at most `bytes_max`, whose leases say that they come from `origin`, and whose entries
    /// are never older than `life_max`, counted from when their loads were asked for, however long they were given.
    pub fn new(bytes_max: u64, life_max: Duration, origin: Origin) -> Self {
        let slots = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|key: &Key, slot: &Slot| {
                let bytes = key.as_str().len() + slot.value.body.len();
                u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(OVERHEAD_BYTES)
            })
            .expire_after(Gone)
            .build();
        Self { slots, versions: Arc::default(), origin, life_max, made_at: Instant::now() }
    }

    /// Drops every entry and every lease, and tells how many there were.
    pub fn clear(&self) -> usize {
        let dropped = self.slots.iter().filter(|(_, slot)| slot.is_there()).count();
        self.slots.invalidate_all();
        dropped
    }

    /// The item under `key`, without touching it: moka's iterator is its only way to read that does not count as a
    /// use, so this takes as long as there are entries.
    pub fn item(&self, key: &Key) -> Option<Item> {
        let mut slots = self.slots.iter();
        let (_, slot) = slots.find(|(held, slot)| **held == *key && slot.is_there())?;
        let Value { body, flags, left_s } = slot.found();
        let placeholder_s = seconds(slot.gone_at.saturating_duration_since(Instant::now()));
        let left_s = Some(if body.is_empty() { placeholder_s } else { left_s });
        Some(Item {
            bytes: body.len() as u64,
            left_s,
            flags,
            version: slot.cas,
            was_read: None,
            noted_s: None,
            claimed: slot.is_claimed,
        })
    }

    fn lease(&self, cas: u64) -> Lease {
        Lease { cas, origin: self.origin, asked_at: Instant::now(), connected_at: self.made_at }
    }

    /// A slot whose content was asked for at `asked_at`: a value may be as old as that.
    fn slot(&self, value: Value, asked_at: Instant) -> Slot {
        let now = Instant::now();
        let life_max = self.life_max.saturating_sub(now.saturating_duration_since(asked_at));
        let life = Duration::from_secs(value.left_s.into()).min(life_max);
        Slot {
            cas: self.versions.fetch_add(1, Ordering::Relaxed) + 1,
            value,
            stored_at: now,
            gone_at: now + life,
            is_claimed: false,
        }
    }

    fn look(&self, key: &Key, ask: Ask) -> Look {
        let mut look = Look::Absent;
        self.slots.entry_by_ref(key).and_compute_with(|entry| {
            let slot = entry.map(moka::Entry::into_value).filter(Slot::is_there);
            let (answer, change) = match (slot, ask.lease_s) {
                (Some(slot), _) => self.seen(slot, ask),
                (None, Some(lease_s)) => {
                    let placeholder = Value { body: Bytes::new(), flags: 0, left_s: lease_s };
                    let slot = Slot { is_claimed: true, ..self.slot(placeholder, Instant::now()) };
                    let lease = self.lease(slot.cas);
                    (Look::Placeholder { lease, token: Token::Won }, Op::Put(slot))
                }
                (None, None) => (Look::Absent, Op::Nop),
            };
            look = answer;
            change
        });
        look
    }

    fn seen(&self, slot: Slot, ask: Ask) -> (Look, Op<Slot>) {
        let lease = self.lease(slot.cas);
        let found = slot.found();
        if found.body.is_empty() && slot.is_claimed {
            return (Look::Placeholder { lease, token: Token::Taken }, Op::Nop);
        }
        let is_stale = ask.refresh_s.is_some_and(|refresh_s| found.left_s < refresh_s);
        let (token, change) = match (is_stale, slot.is_claimed) {
            (false, _) => (Token::Unclaimed, Op::Nop),
            (true, true) => (Token::Taken, Op::Nop),
            (true, false) => (Token::Won, Op::Put(Slot { is_claimed: true, ..slot })),
        };
        (Look::Found { found, lease, token }, change)
    }

    /// Puts or removes (`None`) the slot of `key`, if `lease` still holds.
    fn replace(&self, key: &Key, lease: &Lease, slot: Option<Slot>) -> Filled {
        let mut filled = Filled::Superseded;
        self.slots.entry_by_ref(key).and_compute_with(|entry| {
            let seen = entry.map(moka::Entry::into_value).filter(Slot::is_there);
            let Some(seen) = seen.filter(|seen| seen.cas == lease.cas) else { return Op::Nop };
            filled = Filled::Stored;
            let Some(mut slot) = slot else { return Op::Remove };
            if slot.puts_back(&seen) {
                slot.gone_at = slot.gone_at.min(seen.gone_at);
            }
            Op::Put(slot)
        });
        filled
    }
}

impl Store for Memory {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        // A fresh hit, by far the most frequent, needs no exclusive access.
        if let Some(slot) = self.slots.get(key).filter(Slot::is_there)
            && let (look @ Look::Found { token: Token::Unclaimed, .. }, _) = self.seen(slot, ask)
        {
            return Ok(look);
        }
        Ok(self.look(key, ask))
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        Ok(self.replace(key, lease, Some(self.slot(value, lease.asked_at))))
    }

    fn release(&self, key: &Key, lease: &Lease) {
        self.replace(key, lease, None);
    }

    async fn forget(&self, key: &Key) -> Result<(), Places> {
        // By the same lock as a fill. `invalidate` does not take it, and may fall between the moment when
        // a fill compares the versions and the moment when it puts its value, which is then back again.
        self.slots.entry_by_ref(key).and_compute_with(|_| Op::Remove);
        Ok(())
    }
}

impl Slot {
    fn is_there(&self) -> bool {
        Instant::now() < self.gone_at
    }

    /// True if this is `old` again, with no more than the life that it had left, as after a refresh that
    /// failed. That is no reason to keep it for longer than [`Memory::new`] allows.
    fn puts_back(&self, old: &Self) -> bool {
        self.value.body == old.value.body && self.value.left_s <= old.found().left_s
    }

    /// The value as a look sees it: the life left is the one that it was given, less the time since.
    fn found(&self) -> Value {
        let left_s = self.value.left_s.saturating_sub(seconds(self.stored_at.elapsed()));
        Value { left_s, ..self.value.clone() }
    }
}

/// Lets moka free what is gone; until it does, [`Slot::is_there`] keeps it out of sight.
struct Gone;

#[expect(clippy::disallowed_types, reason = "moka's interface; only memory is freed by it")]
impl Expiry<Key, Slot> for Gone {
    fn expire_after_create(&self, _: &Key, slot: &Slot, _: time::Instant) -> Option<Duration> {
        Some(slot.gone_at - slot.stored_at)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        slot: &Slot,
        _: time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(slot.gone_at.duration_since(Instant::now()))
    }
}
