-- What a job needs of whoever works on it, as `Needs` writes it. There are few different texts however many jobs wait: whoever
-- claims looks which of them it can meet, and then for a job among those.

ALTER TABLE jobs ADD COLUMN needs TEXT NOT NULL DEFAULT '{}';

DROP INDEX jobs_waiting;
CREATE INDEX jobs_waiting ON jobs (owner, backend, needs, number) WHERE state = 'queued';
CREATE INDEX jobs_needs ON jobs (needs) WHERE state = 'queued';
