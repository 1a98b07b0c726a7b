//! `mg`: all keys of a batch that want the same are read in one round trip, each of them once.

use std::{iter, mem, time::Duration};

use tokio::{sync::mpsc::WeakSender, time::Instant};

use super::{
    PROBE_KEY, Unusable, Wire, WireError,
    line::{Line, is_for, number},
};
use crate::{
    cache::{Ask, Key, Lease, Origin, Token},
    memcached::{
        Address,
        operation::{Changing, Queued, Reading, Reply, Seen, Wanted},
    },
};

/// A connection for lookups and reads.
pub(in crate::memcached) struct Gets {
    line: Line,
    origin: Origin,
    connected_at: Instant,
    /// The queue of the connection that gives back what is won and not heard of.
    releases: WeakSender<Queued<Changing>>,
}

impl Gets {
    pub(in crate::memcached) async fn to(
        address: &Address,
        origin: Origin,
        releases: WeakSender<Queued<Changing>>,
        deadline: Duration,
    ) -> Result<Self, WireError> {
        let line = Line::connect(address, deadline).await?;
        let connected_at = Instant::now();
        Ok(Self { line, origin, connected_at, releases })
    }

    /// Reads a key. That the server can be used is seen over the connections for changes.
    pub(in crate::memcached) async fn probe(&mut self) -> Result<(), WireError> {
        self.line.begin();
        self.line.put(format!("mg {PROBE_KEY} v\r\n").as_bytes());
        let line = self.line.line().await?;
        if line == "EN" { self.line.is_at_end() } else { Err(no_value(&line)) }
    }

    /// `mg <key> v t f c [N<lease>] [R<refresh>] [T<renew>] O<round trip> k q` for each key, in whose order `gets` are.
    ///
    /// Callers of one key share a command: each began to wait before it was sent, so that what it finds is as new for
    /// each of them as if it had asked alone. One of them is told of what was won.
    async fn round_trip(&mut self, wanted: Wanted, gets: Vec<Reading>) -> Result<(), WireError> {
        self.line.begin();
        let asked_at = Instant::now();
        let round_trip = self.line.next_number();
        let flags = flags(wanted, round_trip);
        for of_one in gets.chunk_by(|one, other| one.key == other.key) {
            for part in [b"mg ", of_one[0].key.as_ref(), flags.as_bytes()] {
                self.line.put(part);
            }
        }
        self.line.put(b"mn\r\n");
        let keys = gets.chunk_by(|one, other| one.key == other.key).map(|it| it[0].key.clone());
        let keys: Vec<_> = keys.collect();
        let mut found = Vec::with_capacity(keys.len());
        let mut is_left_over = false;
        loop {
            let line = self.line.line().await?;
            if line == "MN" {
                break;
            }
            let hit = Hit::read(&line).ok_or_else(|| no_value(&line))?;
            let seen = self.seen(&hit, asked_at).await?;
            // Without `N`, memcached leaves out what is absent; with it, what it has no room to make a placeholder
            // for, when it was told not to evict (`-M`).
            let mut left = keys[found.len()..].iter();
            match left.position(|key| hit.key == key.as_ref() && hit.number == Some(round_trip)) {
                Some(left_out) => {
                    found.extend(iter::repeat_with(|| None).take(left_out));
                    found.push(Some(seen));
                }
                None => is_left_over = true,
            }
        }
        found.resize_with(keys.len(), || None);
        // A reply is left over: it is nobody's. If one is missing as well, they may stand for each other, and any
        // of the rest for another: nobody is told anything.
        if is_left_over && found.iter().any(Option::is_none) {
            return Err(WireError::Crosstalk);
        }
        // To those who asked for no lease it means that they are refused; that is not worth a round trip. To others a
        // stray `MN` must not end a session.
        let is_refusal = matches!(wanted, Wanted::Entry(Ask { lease_s: None, .. }));
        if !is_refusal && found.iter().any(Option::is_none) {
            self.is_in_step().await?;
        }
        let mut gets = gets.into_iter().peekable();
        for (key, seen) in keys.iter().zip(found) {
            let of_one = iter::from_fn(|| gets.next_if(|get| get.key == *key));
            let replies = of_one.map(|get| get.reply);
            match (seen, wanted) {
                (None, _) => replies.for_each(|reply| _ = reply.send(None)),
                (Some(seen), Wanted::Entry(_)) => tell(seen.watched(key, &self.releases), replies),
                (Some(seen), Wanted::Plain { .. }) => tell(seen, replies),
            }
        }
        if is_left_over { Err(WireError::Crosstalk) } else { self.line.is_at_end() }
    }

    /// Makes sure that the next reply is the one to the next command. Of what is left out of a reply there is nothing
    /// that bears a key and a number: the `MN` that ended it may have been a stray one.
    async fn is_in_step(&mut self) -> Result<(), WireError> {
        // Nobody stores this one either. Unlike a get of it, the answer bears both.
        let key = Key::numbered(PROBE_KEY, 0);
        let number = self.line.next_number();
        self.line.put(format!("md {key} k O{number}\r\n").as_bytes());
        let line = self.line.line().await?;
        let is_known = matches!(line.get(..3), Some(b"HD " | b"NF "));
        if is_known && is_for(&line, &key, number) { Ok(()) } else { Err(WireError::Crosstalk) }
    }

    /// The entry of which `hit` tells, and the value that follows it.
    async fn seen(&mut self, hit: &Hit<'_>, asked_at: Instant) -> Result<Seen, WireError> {
        let body = self.line.value(hit.length).await?;
        let Hit { cas, flags, left_s, token, .. } = *hit;
        if cas == 0 {
            // The probe could not see it, for want of room, or this is another server than was probed.
            return Err(Unusable::NoCas.into());
        }
        let (origin, connected_at) = (self.origin, self.connected_at);
        let lease = Lease { cas, origin, asked_at, connected_at };
        Ok(Seen { body, flags, left_s, lease, token, unheard: None })
    }
}

/// The line of a reply that a value follows.
struct Hit<'a> {
    length: usize,
    key: &'a [u8],
    number: Option<u64>,
    cas: u64,
    flags: u32,
    left_s: Option<u32>,
    token: Token,
}

impl<'a> Hit<'a> {
    /// Reads `VA <length> <flag>…`; `None` if it is another line, or has no version.
    fn read(line: &'a [u8]) -> Option<Self> {
        let mut words = line.strip_prefix(b"VA ")?.split(|byte| *byte == b' ');
        let length = number(words.next()?)?;
        let (key, token) = (&b""[..], Token::Unclaimed);
        let mut hit = Self { length, key, number: None, cas: 0, flags: 0, left_s: None, token };
        let mut is_versioned = false;
        for word in words {
            match word.split_first()? {
                (b'k', key) => hit.key = key,
                (b'O', digits) => hit.number = number(digits),
                (b'c', digits) => (hit.cas, is_versioned) = (number(digits)?, true),
                (b'f', digits) => hit.flags = number(digits)?,
                // `-1` is "for ever".
                (b't', digits) => hit.left_s = number(digits),
                (b'W', []) => hit.token = Token::Won,
                (b'Z', []) => hit.token = Token::Taken,
                _ => {}
            }
        }
        is_versioned.then_some(hit)
    }
}

impl Wire for Gets {
    type Operation = Reading;

    fn is_abandoned(get: &Reading) -> bool {
        get.reply.is_closed()
    }

    async fn is_alive(&mut self) -> bool {
        self.line.begin();
        self.line.put(b"mn\r\n");
        self.line.end().await.is_ok()
    }

    /// Each has the deadline of one round trip, however many of them a batch takes.
    async fn carry_out(&mut self, batch: &mut Vec<Reading>) -> Result<(), WireError> {
        // The next batch is about as long.
        let next = Vec::with_capacity(batch.len());
        let mut queued = mem::replace(batch, next);
        // Those of one key stay in the order in which they came.
        queued.sort_by(|one, other| one.key.cmp(&other.key));
        while let Some(wanted) = queued.first().map(|get| get.wanted) {
            // Those that want something else, wherever they are; both parts keep their order.
            let others = queued.extract_if(.., |get| get.wanted != wanted).collect();
            self.round_trip(wanted, queued).await?;
            queued = others;
        }
        Ok(())
    }
}

/// The end of a command that looks as it is `wanted`.
fn flags(wanted: Wanted, round_trip: u64) -> String {
    let mut flags = String::with_capacity(48);
    flags.push_str(" v t f c");
    let wanted = match wanted {
        Wanted::Entry(Ask { lease_s, refresh_s }) => [('N', lease_s), ('R', refresh_s)],
        Wanted::Plain { renew_s } => [('T', renew_s), ('T', None)],
    };
    let wanted = wanted.into_iter().filter_map(|(name, seconds)| Some((name, seconds?.into())));
    for (name, number) in wanted.chain([('O', round_trip)]) {
        flags.extend([' ', name]);
        flags.push_str(itoa::Buffer::new().format(number));
    }
    flags.push_str(" k q\r\n");
    flags
}

/// Tells each caller of one key what was seen; the first that is still there hears of what was won.
fn tell(seen: Seen, replies: impl Iterator<Item = Reply<Option<Seen>>>) {
    let mut replies = replies.peekable();
    let mut seen = Some(seen);
    while let Some(reply) = replies.next()
        && let Some(this) = seen
    {
        let of_another = replies.peek().map(|_| this.of_another());
        seen = match reply.send(Some(this)) {
            Ok(()) => of_another,
            Err(unheard) => unheard,
        };
    }
}

/// The error that a line is which should say what is under a key.
fn no_value(line: &[u8]) -> WireError {
    let is_error = [&b"ERROR"[..], b"SERVER_ERROR ", b"CLIENT_ERROR "];
    if is_error.iter().any(|error| line.starts_with(error)) {
        return WireError::Refused(String::from_utf8_lossy(line).into_owned());
    }
    WireError::Crosstalk
}
