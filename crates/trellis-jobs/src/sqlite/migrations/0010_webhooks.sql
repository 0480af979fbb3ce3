-- Who is told of a job, and what is still to be told.

ALTER TABLE jobs ADD COLUMN webhook TEXT;
-- What became of the delivery of its end, and why the newest attempt at it did not succeed.
ALTER TABLE jobs ADD COLUMN webhook_state TEXT;
ALTER TABLE jobs ADD COLUMN webhook_problem TEXT;

CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What receivers know it by, the same each time it is sent.
    id TEXT NOT NULL UNIQUE,
    -- Not a reference: what is to be told of a job outlives it.
    job TEXT NOT NULL,
    host TEXT NOT NULL,
    url TEXT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX deliveries_by_due ON deliveries (due_at, number);
CREATE INDEX deliveries_by_job ON deliveries (job);
