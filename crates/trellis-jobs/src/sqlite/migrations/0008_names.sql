-- What people call a job, and a small picture of it.

ALTER TABLE jobs ADD COLUMN name TEXT;
UPDATE jobs SET name = (SELECT input ->> '$.name' FROM inputs WHERE job = number AND position = 0);

-- All that a search by name looks at, newest first.
CREATE INDEX jobs_by_name ON jobs (id, owner, state, name) WHERE name IS NOT NULL;

ALTER TABLE jobs ADD COLUMN thumbnail TEXT;
