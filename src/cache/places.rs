//! The servers of a store as places: each holds entries of its own, and forgets on its own.

/// Most servers. A set of them is one number of 64 bits with a sign, as databases keep it.
pub const PLACES_MAX: u16 = 63;

/// A set of places, which are numbered from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Places(i64);

impl Places {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// All of them, those that are no place among them.
    pub const ALL: Self = Self(-1);

    /// The set of one place. A number from [`PLACES_MAX`] on is no place, and in no set.
    pub fn only(place: u16) -> Self {
        Self(if place < PLACES_MAX { 1 << place } else { 0 })
    }

    /// The set with bit *n* for place *n*.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// Bit *n* stands for place *n*.
    pub fn bits(self) -> i64 {
        self.0
    }

    /// True if no place is in it.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// True if `place` is in it.
    pub fn has(self, place: u16) -> bool {
        !Self::only(place).is_empty() && self.with(Self::only(place)) == self
    }

    /// Those that are in either.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not in `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Their numbers, the least first.
    pub fn numbers(self) -> impl Iterator<Item = u16> {
        (0..PLACES_MAX).filter(move |place| self.has(*place))
    }
}

impl FromIterator<u16> for Places {
    fn from_iter<I: IntoIterator<Item = u16>>(places: I) -> Self {
        places.into_iter().map(Self::only).fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it_and_nothing_else() {
        let set = Places::only(0).with(Places::only(62));
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 62]);
        assert!(set.has(62) && !set.has(1) && !set.has(63) && !set.has(u16::MAX));
        assert_eq!(set.without(Places::only(0)), Places::only(62));
        assert!(Places::only(PLACES_MAX).is_empty() && set.without(set).is_empty());
        assert_eq!(Places::from_bits(set.bits()), set);
    }
}
