//! The closed sets of label values.

/// Declares a closed set of label values, with the word each is written as.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl $name {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// The label value.
            pub fn word(self) -> &'static str {
                match self { $(Self::$case => $word),+ }
            }
        }
    };
}

labels! {
    /// The kind of one get, for the ledger: each get is exactly one of these.
    Outcome {
        /// A fresh entry.
        Hit = "hit",
        /// A fresh entry that says "no such thing".
        NegativeHit = "negative_hit",
        /// A stale entry.
        Stale = "stale",
        /// The source was asked.
        Miss = "miss",
        /// Another caller's load was waited for.
        Collapsed = "collapsed",
        /// The cache was not asked, or could not be.
        Bypass = "bypass",
    }
}

impl Outcome {
    /// The coarser word that a reader of `X-Cache` is told.
    pub fn x_cache(self) -> &'static str {
        match self {
            Self::Hit | Self::NegativeHit => "HIT",
            Self::Stale => "STALE",
            Self::Miss | Self::Collapsed => "MISS",
            Self::Bypass => "BYPASS",
        }
    }
}

labels! {
    /// The end of one load.
    LoadResult {
        /// There is such a thing.
        Found = "found",
        /// There is none.
        Absent = "absent",
        /// Its deadline passed.
        Timeout = "timeout",
        /// It was not begun: too many run or wait.
        Overloaded = "overloaded",
        /// The source could not be reached.
        Unavailable = "unavailable",
        /// The source answered with an error.
        Failed = "failed",
        /// It panicked.
        Panicked = "panicked",
    }
}

labels! {
    /// The end of one fill.
    FillResult {
        /// Stored.
        Stored = "stored",
        /// A write came between.
        Superseded = "superseded",
        /// The lease was older than the connection.
        Void = "void",
        /// Over the store's limit.
        TooLarge = "too_large",
        /// The store gave no answer or refused.
        Failed = "failed",
    }
}

labels! {
    /// The end of one attempt at a job.
    JobResult {
        /// Done.
        Done = "done",
        /// It failed and will be tried again.
        Failed = "failed",
        /// It failed for good.
        Dead = "dead",
    }
}
