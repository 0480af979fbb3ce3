-- Owners take turns, and what each of them keeps is counted.

-- When each owner was last served, by the queue that it waited in: the backends that whoever served it works for. The
-- largest is the latest; never reused.
CREATE TABLE turns (
    turn INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    owner TEXT NOT NULL,
    UNIQUE (queue, owner)
) STRICT;

-- The pictures, files, statement and thumbnail of a job, together.
ALTER TABLE jobs ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET size_bytes =
    coalesce((SELECT sum(input ->> '$.size_bytes') FROM inputs WHERE job = number), 0)
    + coalesce((SELECT sum(artifact ->> '$.size_bytes') FROM artifacts WHERE job = number), 0)
    + coalesce(statement ->> '$.size_bytes', 0)
    + coalesce(thumbnail ->> '$.size_bytes', 0);

CREATE INDEX jobs_waiting ON jobs (owner, backend, number) WHERE state = 'queued';
-- Those that wait again, because their server died or handed them back.
CREATE INDEX jobs_waiting_again ON jobs (backend, number) WHERE state = 'queued' AND attempt > 0;
CREATE INDEX jobs_by_owner ON jobs (owner, size_bytes);
