-- The log of changes: what outdates an entry of the cache is appended here in the transaction that changes it.
CREATE TABLE changes (
    position INTEGER PRIMARY KEY AUTOINCREMENT, -- AUTOINCREMENT: never given twice, whatever is pruned
    key TEXT NOT NULL,
    -- Bit n: the server at place n has not said yet that it has forgotten the key.
    missing INTEGER NOT NULL
);
CREATE INDEX changes_missing ON changes (key) WHERE missing <> 0;
CREATE INDEX changes_forgotten ON changes (position) WHERE missing = 0;

-- The memcached servers that serve this database, the same for every process.
CREATE TABLE servers (
    place INTEGER PRIMARY KEY CHECK (place BETWEEN 0 AND 62),
    address TEXT NOT NULL UNIQUE,
    -- If set: this place has missed so much that it is emptied instead of told each change up to this position.
    empty_to INTEGER
);

CREATE TABLE serving (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    list INTEGER NOT NULL,  -- which list of servers this is; 0 before the first
    pruned INTEGER NOT NULL -- changes up to this position may have been removed from the log
);
INSERT INTO serving (only, list, pruned) VALUES (1, 0, 0);

-- Whatever the first list of servers is, each of them must forget what was noted before.
INSERT INTO changes (key, missing) SELECT key, -1 FROM invalidations;
DROP TABLE invalidations;
