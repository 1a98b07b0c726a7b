-- Keys that a committed write has made outdated and that have not been forgotten by the cache yet. A row
-- is written in the transaction of the write, and removed when the key has been forgotten.
CREATE TABLE invalidations (
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL -- drawn for each write, so that a later one's row is not removed for an earlier one
) WITHOUT ROWID;
