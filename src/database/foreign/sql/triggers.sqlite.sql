CREATE TRIGGER {insert} AFTER INSERT ON {table} BEGIN
    INSERT INTO aside_outdated (resource, arguments)
        SELECT {resource}, {new} WHERE {is_new};
END;
CREATE TRIGGER {update} AFTER UPDATE ON {table} BEGIN
    INSERT INTO aside_outdated (resource, arguments)
        SELECT {resource}, {new} WHERE {is_new}
        UNION SELECT {resource}, {old} WHERE {is_old};
END;
CREATE TRIGGER {delete} AFTER DELETE ON {table} BEGIN
    INSERT INTO aside_outdated (resource, arguments)
        SELECT {resource}, {old} WHERE {is_old};
END;
