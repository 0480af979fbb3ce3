-- How urgent a job is among its owner's: the larger, the more; 0 is normal. And how often it was passed over in favour of one
-- that came later, counted while it is the oldest of its priority. A server that does not know of them submits normal jobs and
-- claims the oldest.

ALTER TABLE jobs ADD COLUMN priority smallint NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN passed_over bigint NOT NULL DEFAULT 0;

-- Claims search by this order, which no other index has. In `jobs_in_turn`, which is for servers that do not know this one, the
-- planner would filter for a priority and read all the jobs of an owner who has none of it.
CREATE INDEX jobs_by_priority ON jobs (('' || owner), backend, needs, priority, (number + 0)) WHERE state = 'queued';
