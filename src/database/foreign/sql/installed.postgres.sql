SELECT proname::text FROM pg_proc JOIN pg_class ON relnamespace = pronamespace
    WHERE pg_class.oid = to_regclass('aside_outdated') AND proname LIKE 'aside!_on!_%' ESCAPE '!'
