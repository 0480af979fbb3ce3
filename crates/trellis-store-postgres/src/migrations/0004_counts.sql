-- How many jobs are in each state, how many of each owner's wait and how much they keep. Counted with each change, because
-- metrics, readiness and each submission ask, and counting a million rows takes a tenth of a second. A connection counts in a
-- line of its own, one of 64, so that changes at the same time seldom wait for each other; what counts is the sum.

CREATE TABLE counts (
    state text COLLATE "C" NOT NULL,
    slot int NOT NULL,
    jobs bigint NOT NULL,
    PRIMARY KEY (state, slot)
) WITH (fillfactor = 50);

CREATE TABLE owned (
    owner text COLLATE "C" NOT NULL,
    slot int NOT NULL,
    queued bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (owner, slot)
) WITH (fillfactor = 50);

-- Always in the order of the states, so that no two changes wait for each other in a circle.
CREATE FUNCTION count_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trellis.counts AS counted (state, slot, jobs)
    SELECT changed.state, pg_backend_pid() % 64, sum(changed.jobs)
    FROM (VALUES (OLD.state, -1), (NEW.state, 1)) AS changed (state, jobs)
    WHERE changed.state IS NOT NULL
    GROUP BY changed.state HAVING sum(changed.jobs) <> 0
    ORDER BY changed.state
    ON CONFLICT (state, slot) DO UPDATE SET jobs = counted.jobs + excluded.jobs;
    RETURN NULL;
END
$$;

CREATE FUNCTION count_owned() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    waits int := coalesce((NEW.state = 'queued')::int, 0) - coalesce((OLD.state = 'queued')::int, 0);
    more bigint := coalesce(NEW.size_bytes, 0) - coalesce(OLD.size_bytes, 0);
BEGIN
    IF waits <> 0 OR more <> 0 THEN
        INSERT INTO trellis.owned AS owns (owner, slot, queued, bytes)
        VALUES (coalesce(NEW.owner, OLD.owner), pg_backend_pid() % 64, waits, more)
        ON CONFLICT (owner, slot) DO UPDATE SET queued = owns.queued + excluded.queued, bytes = owns.bytes + excluded.bytes;
    END IF;
    RETURN NULL;
END
$$;

-- Before the rows are counted: from here on nobody else changes them.
CREATE TRIGGER jobs_counted AFTER INSERT OR DELETE OR UPDATE OF state ON jobs
    FOR EACH ROW EXECUTE FUNCTION count_job();
CREATE TRIGGER jobs_owned AFTER INSERT OR DELETE OR UPDATE OF state, size_bytes ON jobs
    FOR EACH ROW EXECUTE FUNCTION count_owned();

INSERT INTO counts (state, slot, jobs) SELECT state, 0, count(*) FROM jobs GROUP BY state;
INSERT INTO owned (owner, slot, queued, bytes)
    SELECT owner, 0, count(*) FILTER (WHERE state = 'queued'), sum(size_bytes) FROM jobs GROUP BY owner;

-- Claims search by this order, which no other index has: one over all jobs, in which the planner would filter for those that
-- wait, reads every finished job of an owner. `jobs_waiting` is for servers that do not know this one.
CREATE INDEX jobs_in_turn ON jobs ((owner || ''), backend, needs, (number + 0)) WHERE state = 'queued';
