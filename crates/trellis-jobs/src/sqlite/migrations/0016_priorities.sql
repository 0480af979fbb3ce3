-- How urgent a job is among its owner's: the larger, the more; 0 is normal. And how often it was passed over in favour of one
-- that came later, counted while it is the oldest of its priority.

ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0;

DROP INDEX jobs_waiting;
CREATE INDEX jobs_waiting ON jobs (owner, backend, needs, priority, number) WHERE state = 'queued';
