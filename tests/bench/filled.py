"""A job store filled with copies of a job that really ran."""

from __future__ import annotations

from machines import Postgres

OWNERS = 50
# What a copy has of its own; everything else is the first job's, whatever columns the tables have by now.
OWN = {
    "jobs": {
        "number": "{last} + n",
        "id": "copied.id",
        "owner": f"CASE WHEN n % 2 = 0 THEN owner ELSE 'owner-' || n % {OWNERS} END",
        "name": "'chair ' || n",
        "name_folded": "'chair ' || n",
        "cache_key": "md5('cache' || n)",
        "idempotency_key": "NULL",
        "idempotency_digest": "NULL",
        "created_at": "copied.at",
        "updated_at": "copied.at + updated_at - created_at",
        "ended_at": "copied.at + ended_at - created_at",
    },
    "inputs": {"job": "{last} + n"},
    "artifacts": {"job": "{last} + n"},
    "history": {"job": "{last} + n", "at": "{table}.at + copied.at - {at}"},
    "events": {"job": "{last} + n", "at": "{table}.at + copied.at - {at}", "seq": None},
}
# One each two seconds up to the first job. The id is a UUID of version 7 of that time.
COPIES = """
    CREATE UNLOGGED TABLE copied AS
    SELECT n, at, (
        lpad(to_hex(at / 1000), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)
    )::uuid AS id
    FROM (SELECT n, {at} - 2000000 * ({count}::bigint - n + 1) AS at FROM generate_series(1, {count}) AS n) AS times;
"""
COUNTS = """
    TRUNCATE trellis.counts, trellis.owned;
    INSERT INTO trellis.counts SELECT state, 0, count(*) FROM trellis.jobs GROUP BY state;
    INSERT INTO trellis.owned SELECT owner, 0, 0, sum(size_bytes) FROM trellis.jobs GROUP BY owner;
"""
NO_REFERENCES = "SET session_replication_role = replica;"


def fill(database: Postgres, count: int) -> None:
    """Copies the oldest job that succeeded so often. References are not checked, because they hold, and counts are made anew."""
    first = "SELECT number, created_at FROM trellis.jobs WHERE state = 'succeeded' ORDER BY number LIMIT 1"
    number, at = database.ask(first).split("|")
    last = database.ask("SELECT max(number) FROM trellis.jobs")
    values: dict[str, object] = {"last": last, "at": at, "count": count}
    database.ask(COPIES.format(**values))
    for table, own in OWN.items():
        of = f"table_schema = 'trellis' AND table_name = '{table}'"
        columns = database.ask(f"SELECT column_name FROM information_schema.columns WHERE {of}").split()
        columns = [column for column in columns if own.get(column, column) is not None]
        taken = [own.get(column, f"{table}.{column}").format(table=table, **values) for column in columns]
        key = "number" if table == "jobs" else "job"
        order = "" if table == "jobs" else f", {table}.{'seq' if table == 'events' else 'position'}"
        database.ask(
            f"{NO_REFERENCES} INSERT INTO trellis.{table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE"
            f" SELECT {', '.join(taken)} FROM trellis.{table} CROSS JOIN copied"
            f" WHERE {table}.{key} = {number} ORDER BY n{order}"
        )
    database.ask("SELECT setval(pg_get_serial_sequence('trellis.jobs', 'number'), max(number)) FROM trellis.jobs")
    database.ask(COUNTS)
    database.ask("DROP TABLE copied")
    database.ask("VACUUM ANALYZE")
