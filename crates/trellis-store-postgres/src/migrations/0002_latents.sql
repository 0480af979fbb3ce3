-- What was sampled for a job, kept for a while.

ALTER TABLE jobs ADD COLUMN latents json;
ALTER TABLE jobs ADD COLUMN latent_bytes bigint NOT NULL DEFAULT 0;
CREATE INDEX jobs_with_latents ON jobs (id) WHERE latents IS NOT NULL;
