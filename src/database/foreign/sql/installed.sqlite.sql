SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'aside!_on!_%' ESCAPE '!'
