-- Two processes that create the table at once would disturb each other, so they take turns: on any number that other
-- programs on the database do not use.
SELECT pg_advisory_xact_lock(71933263373649);

DO $$ BEGIN IF to_regclass('aside_jobs') IS NULL THEN
    CREATE TABLE aside_jobs (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message BYTEA NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued',
        attempts BIGINT NOT NULL DEFAULT 0,
        due BIGINT NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX aside_jobs_due ON aside_jobs (state, due, id, attempts);
END IF; END $$;
