-- What the database knows of itself, such as its identity and the time it last saw.
CREATE TABLE memos (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Jobs that were deleted and whose files may still be there: those files go, those of unknown jobs do not.
CREATE TABLE deleted (
    job TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
