-- Whose each job is: an idempotency key and a cached result are the owner's own, so the key alone is not unique
-- any more. That needs a new table; foreign keys are off meanwhile, see `schema.rs`.

CREATE TABLE owned_jobs (
    -- The order of submission; never reused.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- The name of an API key; empty where the server has none.
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    backend TEXT NOT NULL,
    made_by TEXT,
    params TEXT NOT NULL,
    progress TEXT,
    failure TEXT,
    notes TEXT NOT NULL DEFAULT '[]',
    provenance TEXT,
    statement TEXT,
    statement_key TEXT,
    timings TEXT,
    -- Whether its result was made for an earlier job.
    cached INTEGER NOT NULL DEFAULT 0 CHECK (cached IN (0, 1)),
    -- A digest of everything that the result depends on, by which later jobs find it.
    cache_key TEXT,
    -- How often it was claimed; names the lease, so it never goes back.
    attempt INTEGER NOT NULL DEFAULT 0,
    -- Those of the attempts that count against the limit: handing back takes one off.
    charged INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER,
    worker TEXT,
    lease_until INTEGER,
    idempotency_key TEXT,
    idempotency_digest TEXT,
    UNIQUE (owner, idempotency_key),
    CHECK ((state = 'running') = (worker IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK ((statement IS NULL) = (statement_key IS NULL)),
    CHECK ((idempotency_key IS NULL) = (idempotency_digest IS NULL))
) STRICT;

INSERT INTO owned_jobs (number, id, owner, state, backend, made_by, params, progress, failure, notes, provenance,
    statement, statement_key, timings, cached, attempt, charged, created_at, updated_at, ended_at, worker,
    lease_until, idempotency_key, idempotency_digest)
SELECT number, id, '', state, backend, made_by, params, progress, failure, notes, provenance,
    statement, statement_key, timings, cached, attempt, charged, created_at, updated_at, ended_at, worker,
    lease_until, idempotency_key, idempotency_digest
FROM jobs;

-- Where numbers go on, also past those of jobs that were deleted.
DELETE FROM sqlite_sequence WHERE name = 'owned_jobs';
INSERT INTO sqlite_sequence (name, seq) SELECT 'owned_jobs', seq FROM sqlite_sequence WHERE name = 'jobs';

DROP TABLE jobs;
ALTER TABLE owned_jobs RENAME TO jobs;

CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_state_and_id ON jobs (state, id);
CREATE INDEX jobs_by_end ON jobs (ended_at, number) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_cache_key ON jobs (cache_key, owner, number) WHERE cache_key IS NOT NULL;

-- A result is kept as long as its job.
DROP TABLE cache;
