-- The domain of an email address means the same in any case (RFC 5321 §2.4); what is before the @ is its owner's affair.
-- So two users may not differ in the case of a domain alone. The address is kept and shown as it was given: no row, and
-- so no entry of a cache, changes by this.
--
-- Two users who have come to have the same address stay what they are: nobody loses an account by an update of the
-- program. The one who was first has the address; a later one shares it until theirs is changed to another.
ALTER TABLE users ADD COLUMN address TEXT GENERATED ALWAYS AS (
    substr(email, 1, instr(email, '@')) || lower(substr(email, instr(email, '@') + 1))
) VIRTUAL;

ALTER TABLE users ADD COLUMN shares_address INTEGER NOT NULL DEFAULT FALSE;

UPDATE users SET shares_address = TRUE WHERE id NOT IN (SELECT min(id) FROM users GROUP BY address);

CREATE UNIQUE INDEX users_address ON users (address) WHERE NOT shares_address;

CREATE TRIGGER users_new_address AFTER UPDATE OF email ON users
WHEN NEW.shares_address AND NEW.address <> OLD.address
BEGIN
    UPDATE users SET shares_address = FALSE WHERE id = NEW.id;
END;
