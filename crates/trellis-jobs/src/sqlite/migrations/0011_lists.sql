-- An owner's jobs are listed without a look at those of others.
CREATE INDEX jobs_by_owner_and_state ON jobs (owner, state, id);
