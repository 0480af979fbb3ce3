-- What was sampled for a job, kept for a while.

ALTER TABLE jobs ADD COLUMN latents TEXT;
CREATE INDEX jobs_with_latents ON jobs (id) WHERE latents IS NOT NULL;
