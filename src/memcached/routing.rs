//! The way from a key to its server: rendezvous hashing, as pymemcache's `HashClient` does it.
//!
//! Each server is scored for the key, and the highest score wins (Thaler and Ravishankar, "Using name-based
//! mappings to increase hit rates", 1998). A server that is added or lost moves only the keys that it wins.
//! The score is `MurmurHash3_x86_32` of `{server}-{key}` with seed 0, so that Aside and every Python program
//! with the same list of servers agree.

use super::Address;
use crate::cache::{Key, Places};

/// The servers by name, in the order of the setting.
#[derive(Clone, Debug)]
pub(crate) struct Routing {
    names: Box<[String]>,
}

impl Routing {
    pub(crate) fn new(addresses: &[Address]) -> Self {
        // As pymemcache scores them: `host:port`, or the bare path of a Unix socket.
        let names = addresses.iter().map(Address::to_string);
        Self { names: names.map(|name| name.trim_start_matches("unix://").to_owned()).collect() }
    }

    /// True if there is more than one server.
    pub(crate) fn has_many(&self) -> bool {
        self.names.len() > 1
    }

    /// The places that `key` may live at, the first choice first: where it lives, and where it lives while that is away.
    /// The second is missing if there is only one server, both if there is none.
    pub(crate) fn choices(&self, key: &Key) -> [Option<u16>; 2] {
        // One server has every key, whatever its score.
        if !self.has_many() {
            return [(!self.names.is_empty()).then_some(0), None];
        }
        let best = self.scores(key).map(Some).fold([None, None], |[first, second], score| {
            if score > first { [score, first] } else { [first, second.max(score)] }
        });
        best.map(|score| score.map(|(_, _, place)| place))
    }

    /// The choices for `key` as a set.
    pub(crate) fn places(&self, key: &Key) -> Places {
        self.choices(key).into_iter().flatten().collect()
    }

    /// Every server's place and its score for `key`, the highest first.
    pub(crate) fn ranking(&self, key: &Key) -> Vec<(u16, u32)> {
        let mut scores: Vec<_> = self.scores(key).collect();
        scores.sort_unstable_by(|one, other| other.cmp(one));
        scores.into_iter().map(|(score, _, place)| (place, score)).collect()
    }

    /// Every server's score for `key`, its name and its place. The greatest wins: of equal scores that of the name
    /// that sorts last, as in pymemcache.
    fn scores(&self, key: &Key) -> impl Iterator<Item = (u32, &str, u16)> {
        let mut text = Vec::with_capacity(128);
        (0..).zip(&self.names).map(move |(place, name)| {
            text.clear();
            text.extend_from_slice(name.as_bytes());
            text.push(b'-');
            text.extend_from_slice(key.as_ref());
            (murmur3_x86_32(&text, 0), name.as_str(), place)
        })
    }
}

/// MurmurHash3, the 32-bit variant for x86 (Austin Appleby; public domain, `MurmurHash3.cpp` of smhasher).
fn murmur3_x86_32(bytes: &[u8], seed: u32) -> u32 {
    let mix =
        |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(seed, |hash, block| {
        (hash ^ mix(u32::from_le_bytes(*block)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    if !tail.is_empty() {
        let block = tail.iter().rev().fold(0, |block, byte| block << 8 | u32::from(*byte));
        hash ^= mix(block);
    }
    // Only the low 32 bits of the length count.
    hash ^= u32::try_from(bytes.len() & 0xffff_ffff).unwrap_or(0);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(ports: impl IntoIterator<Item = u16>) -> Routing {
        let address = |port| Address::Tcp { host: "10.0.0.1".to_owned(), port };
        Routing::new(&ports.into_iter().map(address).collect::<Vec<_>>())
    }

    #[test]
    fn the_hash_is_that_of_the_published_vectors() {
        for (text, seed, hash) in [
            ("", 0, 0),
            ("", 1, 0x514e_28b7),
            ("a", 0x9747_b28c, 0x7fa0_9ea6),
            ("aa", 0x9747_b28c, 0x5d21_1726),
            ("aaa", 0x9747_b28c, 0x283e_0130),
            ("aaaa", 0x9747_b28c, 0x5a97_808a),
            ("Hello, world!", 0x9747_b28c, 0x2488_4cba),
            ("The quick brown fox jumps over the lazy dog", 0x9747_b28c, 0x2fa8_26cd),
        ] {
            assert_eq!(murmur3_x86_32(text.as_bytes(), seed), hash, "{text}");
        }
    }

    #[test]
    fn a_server_that_is_added_moves_its_share_and_nothing_else() {
        let (three, four) = (routing(1..=3), routing(1..=4));
        let keys = (1..=40_000).map(|id| Key::numbered("user", id));
        let mut moved = 0;
        for key in keys {
            let [before, after] = [&three, &four].map(|routing| routing.choices(&key)[0]);
            assert!(
                after == before || after == Some(3),
                "a key moved between servers that were there before"
            );
            moved += u32::from(after != before);
        }
        assert!((9_000..=11_000).contains(&moved), "{moved} of 40000 is not a quarter within 10 %");
    }

    #[test]
    fn the_second_choice_is_the_first_of_the_servers_that_are_left() {
        let all = routing(1..=4);
        for id in 1..=1000 {
            let key = Key::numbered("user", id);
            let [first, second] = all.choices(&key).map(Option::unwrap);
            let ports: Vec<u16> = (1..=4).filter(|port| *port != first + 1).collect();
            let left = routing(ports.clone()).choices(&key)[0].unwrap();
            assert_eq!(ports[usize::from(left)] - 1, second);
        }
    }

    #[test]
    fn the_ranking_begins_with_the_choices() {
        let routing = routing(1..=4);
        for id in 1..=1000 {
            let key = Key::numbered("user", id);
            let places: Vec<_> = routing.ranking(&key).iter().map(|(place, _)| *place).collect();
            assert_eq!(
                ([Some(places[0]), Some(places[1])], places.len()),
                (routing.choices(&key), 4)
            );
        }
    }

    #[test]
    fn one_server_has_all_keys_and_no_server_none() {
        let key = Key::numbered("user", 1);
        assert_eq!(routing([1]).choices(&key), [Some(0), None]);
        assert_eq!(routing([]).choices(&key), [None, None]);
    }
}
