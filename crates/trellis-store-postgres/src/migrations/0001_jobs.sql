-- Jobs, what belongs to them, and what happened to them.
-- Times are microseconds since 1970 in UTC. Names of states, backends and formats are those of the JSON. What is kept as
-- `json` is read by the program alone. Texts sort by their bytes, whatever the database's language is.

CREATE TABLE jobs (
    -- The order of submission; never reused.
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    -- The name of an API key; empty where the servers have none.
    owner text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    backend text COLLATE "C" NOT NULL,
    made_by text,
    -- What an export is converted from.
    source json,
    params json NOT NULL,
    progress json,
    failure json,
    notes json NOT NULL DEFAULT '[]',
    provenance json,
    statement json,
    statement_key text,
    statement_bytes bigint NOT NULL DEFAULT 0,
    timings json,
    -- Whether its result was made for an earlier job.
    cached boolean NOT NULL DEFAULT false,
    -- A digest of everything that the result depends on, by which later jobs find it.
    cache_key text COLLATE "C",
    traceparent text,
    -- What people call it; `name_folded` is the same in lower case, for searches.
    name text,
    name_folded text COLLATE "C",
    thumbnail json,
    thumbnail_bytes bigint NOT NULL DEFAULT 0,
    -- Who is told of it, and what became of the delivery of its end.
    webhook json,
    webhook_state text,
    webhook_problem text,
    -- How often it was claimed; names the lease, so it never goes back.
    attempt bigint NOT NULL DEFAULT 0,
    -- Those of the attempts that count against the limit: handing back takes one off.
    charged bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    ended_at bigint,
    worker text COLLATE "C",
    lease_until bigint,
    idempotency_key text COLLATE "C",
    idempotency_digest text,
    -- The pictures, files, statement and thumbnail, together.
    size_bytes bigint NOT NULL DEFAULT 0,
    UNIQUE (owner, idempotency_key),
    CHECK ((state = 'running') = (worker IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK ((statement IS NULL) = (statement_key IS NULL)),
    CHECK ((name IS NULL) = (name_folded IS NULL)),
    CHECK ((idempotency_key IS NULL) = (idempotency_digest IS NULL))
    -- Room in each page for the next version of a row that is renewed every few seconds.
) WITH (fillfactor = 80);

CREATE INDEX jobs_by_state_and_id ON jobs (state, id);
CREATE INDEX jobs_by_owner_and_state ON jobs (owner, state, id);
CREATE INDEX jobs_by_name ON jobs (id) INCLUDE (owner, state, name_folded) WHERE name_folded IS NOT NULL;
CREATE INDEX jobs_by_end ON jobs (ended_at, number) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_cache_key ON jobs (cache_key, owner, number) WHERE cache_key IS NOT NULL;
CREATE INDEX jobs_by_owner ON jobs (owner) INCLUDE (size_bytes);
CREATE INDEX jobs_running ON jobs (number) WHERE state = 'running';
CREATE INDEX jobs_waiting ON jobs (owner, backend, number) WHERE state = 'queued';
-- Those that wait again, because their server died or handed them back.
CREATE INDEX jobs_waiting_again ON jobs (backend, number) WHERE state = 'queued' AND attempt > 0;

CREATE TABLE inputs (
    job bigint NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    position bigint NOT NULL,
    input json NOT NULL,
    key text NOT NULL,
    size_bytes bigint NOT NULL,
    PRIMARY KEY (job, position)
);

CREATE TABLE artifacts (
    job bigint NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    artifact json NOT NULL,
    key text NOT NULL,
    size_bytes bigint NOT NULL,
    PRIMARY KEY (job, name)
);

CREATE TABLE history (
    job bigint NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    position bigint NOT NULL,
    state text NOT NULL,
    at bigint NOT NULL,
    attempt bigint NOT NULL,
    PRIMARY KEY (job, position)
);

CREATE TABLE events (
    -- The `Last-Event-ID`; never reused. Of one job they rise as they are committed, because its row is locked meanwhile.
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job bigint NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    at bigint NOT NULL,
    kind json NOT NULL,
    -- Of entries that are overtaken: all but the last of each are dropped when the job ends.
    thinned_by text COLLATE "C"
);

CREATE INDEX events_by_job ON events (job, seq);

-- When each owner was last served, by the queue that it waited in: the backends that whoever served it works for. The
-- largest is the latest.
CREATE SEQUENCE turns_served;

CREATE TABLE turns (
    queue text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    turn bigint NOT NULL,
    PRIMARY KEY (queue, owner)
);

-- What is still to be told to webhooks.
CREATE TABLE deliveries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- What receivers know it by, the same each time it is sent.
    id text COLLATE "C" NOT NULL UNIQUE,
    -- Not a reference: what is to be told of a job outlives it.
    job uuid NOT NULL,
    host text COLLATE "C" NOT NULL,
    url text NOT NULL,
    event json NOT NULL,
    kind text NOT NULL,
    tries bigint NOT NULL DEFAULT 0,
    due_at bigint NOT NULL
);

CREATE INDEX deliveries_by_due ON deliveries (due_at, number);
CREATE INDEX deliveries_by_job ON deliveries (job);

-- What the database knows of itself, such as its identity and the time it last saw.
CREATE TABLE memos (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- Jobs that were deleted and whose files may still be there: those files go, those of unknown jobs do not.
CREATE TABLE deleted (
    job uuid PRIMARY KEY
);

-- The servers that share this database, as each of them says it every few seconds.
CREATE TABLE nodes (
    name text COLLATE "C" PRIMARY KEY,
    -- Read by the program alone.
    about json NOT NULL,
    seen_at bigint NOT NULL,
    -- Somebody wants it to begin no job.
    drains boolean NOT NULL DEFAULT false
);
