"""A job store filled with copies of a job that really ran."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cluster"))

from database import Postgres  # noqa: E402

OWNERS = 50
# What a copy has of its own; everything else is the first job's, whatever columns the tables have by now.
OWN = {
    "jobs": {
        "number": "{first} + n",
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
    "inputs": {"job": "{first} + n"},
    "artifacts": {"job": "{first} + n"},
    "history": {"job": "{first} + n", "at": "{table}.at + copied.at - {at}"},
    "events": {"job": "{first} + n", "at": "{table}.at + copied.at - {at}", "seq": None},
}
# One each two seconds up to the first job. The id is a UUID of version 7 of that time.
COPIES = """
    CREATE TEMPORARY TABLE copied AS
    SELECT n, at, (
        lpad(to_hex(at / 1000), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)
    )::uuid AS id
    FROM (SELECT n, {at} - 2000000 * ({count}::bigint - n + 1) AS at FROM generate_series(1, {count}) AS n) AS times;
"""
NO_REFERENCES = "SET session_replication_role = replica;"


def fill(database: Postgres, count: int) -> None:
    """Copies the only job so often. References are not checked, because they hold."""
    number, at = database.ask("SELECT number, created_at FROM trellis.jobs").split("|")
    values: dict[str, object] = {"first": number, "at": at, "count": count}
    steps = [NO_REFERENCES, COPIES.format(**values)]
    for table, own in OWN.items():
        of = f"table_schema = 'trellis' AND table_name = '{table}'"
        columns = database.ask(f"SELECT column_name FROM information_schema.columns WHERE {of}").split()
        columns = [column for column in columns if own.get(column, column) is not None]
        taken = [own.get(column, f"{table}.{column}").format(table=table, **values) for column in columns]
        key = "number" if table == "jobs" else "job"
        order = "" if table == "jobs" else f", {table}.{'seq' if table == 'events' else 'position'}"
        steps.append(
            f"INSERT INTO trellis.{table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE SELECT {', '.join(taken)}"
            f" FROM trellis.{table} CROSS JOIN copied WHERE {table}.{key} = {number} ORDER BY n{order};"
        )
    steps.append("SELECT setval(pg_get_serial_sequence('trellis.jobs', 'number'), max(number)) FROM trellis.jobs;")
    database.ask("".join(steps))
    database.ask("VACUUM ANALYZE")
