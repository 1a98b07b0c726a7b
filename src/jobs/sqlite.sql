CREATE TABLE aside_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX aside_jobs_due ON aside_jobs (state, due, id, attempts);
