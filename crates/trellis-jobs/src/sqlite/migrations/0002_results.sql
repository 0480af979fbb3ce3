-- What made a result, the statement about it, and results kept for jobs that ask the same.

ALTER TABLE jobs ADD COLUMN provenance TEXT;
ALTER TABLE jobs ADD COLUMN statement TEXT;
ALTER TABLE jobs ADD COLUMN statement_key TEXT CHECK ((statement IS NULL) = (statement_key IS NULL));
-- Whether its result was made for an earlier job.
ALTER TABLE jobs ADD COLUMN cached INTEGER NOT NULL DEFAULT 0 CHECK (cached IN (0, 1));

CREATE TABLE cache (
    -- Names the entry's blobs; never reused.
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    -- A digest of everything that the result depends on.
    key TEXT NOT NULL,
    -- 0 while its blobs are being written or removed: what a killed process leaves so is removed later.
    ready INTEGER NOT NULL DEFAULT 0 CHECK (ready IN (0, 1)),
    size_bytes INTEGER NOT NULL,
    result TEXT NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX cache_by_key ON cache (key) WHERE ready = 1;
CREATE INDEX cache_by_use ON cache (ready, used_at);
