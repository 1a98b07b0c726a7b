SELECT kind || ' ' || name FROM (VALUES
    ('SELECT', 'aside_outdated'), ('UPDATE', 'aside_outdated'), ('DELETE', 'aside_outdated'),
    ('SELECT', 'aside_listening'), ('UPDATE', 'aside_listening')) AS needed (kind, name)
    WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), kind)
