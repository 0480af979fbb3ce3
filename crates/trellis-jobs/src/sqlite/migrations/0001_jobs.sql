-- Jobs, what belongs to them, and what happened to them.
-- Times are microseconds since 1970 in UTC. Names of states, backends and formats are those of the JSON.

CREATE TABLE jobs (
    -- The order of submission; never reused.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    backend TEXT NOT NULL,
    made_by TEXT,
    params TEXT NOT NULL,
    progress TEXT,
    failure TEXT,
    notes TEXT NOT NULL DEFAULT '[]',
    -- How often it was claimed; names the lease, so it never goes back.
    attempt INTEGER NOT NULL DEFAULT 0,
    -- Those of the attempts that count against the limit: handing back takes one off.
    charged INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER,
    worker TEXT,
    lease_until INTEGER,
    idempotency_key TEXT UNIQUE,
    idempotency_digest TEXT,
    CHECK ((state = 'running') = (worker IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK ((idempotency_key IS NULL) = (idempotency_digest IS NULL))
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_state_and_id ON jobs (state, id);
CREATE INDEX jobs_by_end ON jobs (ended_at, number) WHERE ended_at IS NOT NULL;

CREATE TABLE inputs (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    input TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (job, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    artifact TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (job, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    -- The `Last-Event-ID`; never reused.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- Of progress entries: attempt and stage. All but the last of each are dropped when the job ends.
    thinned_by TEXT
) STRICT;

CREATE INDEX events_by_job ON events (job, seq);
