-- 10,000 users, the same on every machine. The powers of the id modulo a prime stand in for chance:
-- they mix first and last names without a pattern that the eye finds.
WITH RECURSIVE
first_names(list) AS (VALUES (json_array(
    'Ada', 'Aisha', 'Alejandro', 'Amara', 'Anders', 'Anjali', 'Astrid', 'Beatriz', 'Bilal', 'Carmen',
    'Chidi', 'Clara', 'Daniel', 'Dmitri', 'Elena', 'Emeka', 'Fatima', 'Felix', 'Giulia', 'Grace',
    'Hana', 'Hiroshi', 'Ibrahim', 'Ingrid', 'Isabel', 'Jamal', 'Jonas', 'Kenji', 'Lars', 'Leila',
    'Lucas', 'Mariam', 'Mateo', 'Mei', 'Nadia', 'Noah', 'Olga', 'Priya', 'Rafael', 'Rosa',
    'Samuel', 'Sofia', 'Tariq', 'Thandiwe', 'Tomas', 'Yara', 'Yusuf', 'Zoe'))),
last_names(list) AS (VALUES (json_array(
    'Abebe', 'Adeyemi', 'Ahmed', 'Almeida', 'Andersson', 'Bauer', 'Bianchi', 'Castro', 'Chen', 'Costa',
    'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Hansen', 'Haddad', 'Horvat', 'Hughes', 'Jensen', 'Kaya',
    'Khan', 'Kim', 'Kowalski', 'Kumar', 'Larsen', 'Lindqvist', 'Lopez', 'Mbeki', 'Mensah', 'Moreau',
    'Murphy', 'Nakamura', 'Nguyen', 'Novak', 'Okafor', 'Okonkwo', 'Patel', 'Popescu', 'Rahman', 'Rossi',
    'Santos', 'Sato', 'Schmidt', 'Silva', 'Singh', 'Suzuki', 'Tanaka', 'Walker', 'Weber', 'Yilmaz',
    'Zhang'))),
number(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM number WHERE id < 10000),
dice(id, one, two, three) AS (
    SELECT id,
        (id * id * id * 40503 + id * 69621) % 2147483647 / 1024,
        (id * id * id * 48271 + id * id * 30269) % 2147483647 / 1024,
        (id * id * id * 16807 + id * 65539) % 2147483647 / 1024
    FROM number
),
person(id, first_name, last_name, created_seconds, seconds_unchanged) AS (
    SELECT dice.id,
        json_extract(first_names.list, '$[' || (one % json_array_length(first_names.list)) || ']'),
        json_extract(last_names.list, '$[' || (two % json_array_length(last_names.list)) || ']'),
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
    strftime('%Y-%m-%dT%H:%M:%S.000Z', created_seconds, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%S.000Z', created_seconds + seconds_unchanged, 'unixepoch')
FROM person
ORDER BY id;
