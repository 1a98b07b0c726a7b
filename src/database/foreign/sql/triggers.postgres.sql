CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $aside$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO aside_outdated (resource, arguments)
            SELECT DISTINCT {resource}, {changed}::text FROM aside_new AS changed WHERE {is_changed};
    END IF;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO aside_outdated (resource, arguments)
            SELECT {resource}, {changed}::text FROM aside_new AS changed WHERE {is_changed}
            UNION SELECT {resource}, {changed}::text FROM aside_old AS changed WHERE {is_changed};
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO aside_outdated (resource, arguments)
            SELECT DISTINCT {resource}, {changed}::text FROM aside_old AS changed WHERE {is_changed};
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO aside_outdated (resource, arguments)
            SELECT DISTINCT {resource}, {changed}::text FROM {table} AS changed WHERE {is_changed};
    END IF;
    PERFORM pg_notify('aside', '') FROM aside_listening
        WHERE until < clock_timestamp() AND alive > clock_timestamp() - interval '1 min';
    RETURN NULL;
END $aside$;
CREATE TRIGGER {insert} AFTER INSERT ON {table} REFERENCING NEW TABLE AS aside_new
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER {update} AFTER UPDATE ON {table} REFERENCING OLD TABLE AS aside_old NEW TABLE AS aside_new
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER {delete} AFTER DELETE ON {table} REFERENCING OLD TABLE AS aside_old
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
