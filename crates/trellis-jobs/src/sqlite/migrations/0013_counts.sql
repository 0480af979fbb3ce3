-- How many jobs are in each state. Counted with each change, because each readiness check and each scrape of the metrics
-- asks. A migration that puts a new table in the place of `jobs` must make the triggers again.

CREATE TABLE counts (
    state TEXT PRIMARY KEY,
    jobs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counts (state, jobs)
VALUES ('queued', 0), ('running', 0), ('succeeded', 0), ('failed', 0), ('cancelled', 0);
UPDATE counts SET jobs = (SELECT count(*) FROM jobs WHERE jobs.state = counts.state);

CREATE TRIGGER jobs_counted_in AFTER INSERT ON jobs BEGIN
    UPDATE counts SET jobs = jobs + 1 WHERE state = new.state;
END;

CREATE TRIGGER jobs_counted_out AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE state = old.state;
END;

CREATE TRIGGER jobs_counted_over AFTER UPDATE OF state ON jobs WHEN new.state <> old.state BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE state = old.state;
    UPDATE counts SET jobs = jobs + 1 WHERE state = new.state;
END;
