-- AUTOINCREMENT: the id of a deleted user is never given to another one, so that nothing kept under
-- an old id (a cache entry, a session) can come to belong to somebody else.
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL, -- RFC 3339 in UTC with milliseconds: 2024-03-05T10:20:30.000Z
    updated_at TEXT NOT NULL
);
