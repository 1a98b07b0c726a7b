-- When a change was made: one that was just made spares those after it a notification.
ALTER TABLE changes ADD COLUMN at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp();

-- The log is read from a position on, and shortened at its beginning: the primary key finds both.
DROP INDEX changes_forgotten;
