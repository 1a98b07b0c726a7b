SELECT set_config('search_path', string_agg(quote_ident(name), ', ') || ', pg_temp', TRUE)
    FROM unnest(current_schemas(FALSE)) AS name;
CREATE TABLE IF NOT EXISTS aside_outdated (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, resource TEXT NOT NULL, arguments TEXT NOT NULL,
    taken TIMESTAMPTZ, forgotten INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS aside_listening (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1), until TIMESTAMPTZ NOT NULL, alive TIMESTAMPTZ NOT NULL);
INSERT INTO aside_listening VALUES (1, '-infinity', '-infinity') ON CONFLICT DO NOTHING;
