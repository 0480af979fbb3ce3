-- The trace that a job belongs to, as its client said.

ALTER TABLE jobs ADD COLUMN traceparent TEXT;
