-- 10,000 users, the same on every machine and in SQLite. The powers of the id modulo a prime stand in for chance:
-- they mix first and last names without a pattern that the eye finds.
WITH
first_names(list) AS (VALUES (ARRAY[
    'Ada', 'Aisha', 'Alejandro', 'Amara', 'Anders', 'Anjali', 'Astrid', 'Beatriz', 'Bilal', 'Carmen',
    'Chidi', 'Clara', 'Daniel', 'Dmitri', 'Elena', 'Emeka', 'Fatima', 'Felix', 'Giulia', 'Grace',
    'Hana', 'Hiroshi', 'Ibrahim', 'Ingrid', 'Isabel', 'Jamal', 'Jonas', 'Kenji', 'Lars', 'Leila',
    'Lucas', 'Mariam', 'Mateo', 'Mei', 'Nadia', 'Noah', 'Olga', 'Priya', 'Rafael', 'Rosa',
    'Samuel', 'Sofia', 'Tariq', 'Thandiwe', 'Tomas', 'Yara', 'Yusuf', 'Zoe'])),
last_names(list) AS (VALUES (ARRAY[
    'Abebe', 'Adeyemi', 'Ahmed', 'Almeida', 'Andersson', 'Bauer', 'Bianchi', 'Castro', 'Chen', 'Costa',
    'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Hansen', 'Haddad', 'Horvat', 'Hughes', 'Jensen', 'Kaya',
    'Khan', 'Kim', 'Kowalski', 'Kumar', 'Larsen', 'Lindqvist', 'Lopez', 'Mbeki', 'Mensah', 'Moreau',
    'Murphy', 'Nakamura', 'Nguyen', 'Novak', 'Okafor', 'Okonkwo', 'Patel', 'Popescu', 'Rahman', 'Rossi',
    'Santos', 'Sato', 'Schmidt', 'Silva', 'Singh', 'Suzuki', 'Tanaka', 'Walker', 'Weber', 'Yilmaz',
    'Zhang'])),
number(id) AS (SELECT generate_series(1::bigint, 10000)),
dice(id, one, two, three) AS (
    SELECT id,
        (id * id * id * 40503 + id * 69621) % 2147483647 / 1024,
        (id * id * id * 48271 + id * id * 30269) % 2147483647 / 1024,
        (id * id * id * 16807 + id * 65539) % 2147483647 / 1024
    FROM number
),
person(id, first_name, last_name, created_seconds, seconds_unchanged) AS (
    SELECT dice.id,
        first_names.list[1 + one % cardinality(first_names.list)],
        last_names.list[1 + two % cardinality(last_names.list)],
        -- From 2020 on, one user about every four hours for four and a half years.
        1577836800 + dice.id * 14200 + three % 14200,
        -- Two users of three have changed something since, within half a year.
        CASE WHEN (one + two) % 3 = 0 THEN 0 ELSE (one * 131 + three * 7) % 15552000 END
    FROM dice, first_names, last_names
)
INSERT INTO users (id, name, email, created_at, updated_at)
SELECT id,
    first_name || ' ' || last_name,
    lower(first_name || '.' || last_name) || '.' || id || '@example.com',
    to_char(to_timestamp(created_seconds) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS."000Z"'),
    to_char(to_timestamp(created_seconds + seconds_unchanged) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS."000Z"')
FROM person
ORDER BY id;

SELECT setval(pg_get_serial_sequence('users', 'id'), 10000);
