"""A store with many jobs, measured; million.sh says how to run it."""

from __future__ import annotations

import http.client
import itertools
import resource
import selectors
import socket
import statistics
import sys
import time
from pathlib import Path

from filled import fill
from machines import Postgres, Server, model, until, workers_ready
from together import CLIENTS, SMALL, SUBMISSIONS, Watch, alone, at_once, seeds

READS = 300
PAGE = 100
SECONDS = 20.0
# As a database has them that does nothing else on a machine of this size.
SETTINGS = ("shared_buffers=1GB", "max_wal_size=4GB")
DONE = "SELECT count(*) FROM trellis.jobs WHERE state IN ('succeeded', 'failed')"


def rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def timed(api: Server, paths: list[str]) -> str:
    """Milliseconds that these take, one after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    times = []
    for path in paths:
        begun = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.monotonic() - begun) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    connection.close()
    times.sort()
    return f"{statistics.median(times):.1f} ms (99 in a hundred {times[int(len(times) * 0.99) - 1]:.1f} ms)"


def reads(api: Server, pg: Postgres) -> None:
    """What changes nothing."""
    some = f"SELECT id FROM trellis.jobs WHERE owner = '' ORDER BY md5(id::text) LIMIT {READS}"
    ids = pg.ask(some).split()
    ids = list(itertools.islice(itertools.cycle(ids), READS))
    print(f"  the state of a job: {timed(api, [f'/v1/jobs/{job}' for job in ids])}")
    print(f"  the first {PAGE} jobs: {timed(api, [f'/v1/jobs?limit={PAGE}'] * 50)}")
    print(f"  {PAGE} jobs from the middle: {timed(api, [f'/v1/jobs?limit={PAGE}&cursor={job}' for job in ids[:50]])}")
    print(f"  the jobs of one state: {timed(api, [f'/v1/jobs?limit={PAGE}&state=failed'] * 50)}")
    print(f"  a name that no job has: {timed(api, [f'/v1/jobs?limit={PAGE}&name=table'] * 10)}")
    print(f"  /v1/status: {timed(api, ['/v1/status'] * 50)}")
    print(f"  /v1/health/ready: {timed(api, ['/v1/health/ready'] * 50)}", flush=True)


def changes(api: Server, worker: Server, pg: Postgres) -> None:
    """Jobs that wait for nobody; and submissions at once, which are worked off afterwards."""
    waits = alone(api, pg)
    print(f"  a job that waits for nobody is begun after {statistics.median(waits):.0f} ms (median of {len(waits)})")
    before = int(pg.ask(DONE))
    worker.pause()
    rate = SUBMISSIONS / at_once(api, SUBMISSIONS)
    worker.go_on()
    print(f"  submissions: {rate:.0f} a second from {CLIENTS} clients", flush=True)
    until("they are done", 300, lambda: int(pg.ask(DONE)) >= before + SUBMISSIONS)


def follow(api: Server, pg: Postgres, count: int) -> None:
    """Jobs that wait, each with a follower; what that costs while nothing happens, and until all heard of the end."""
    submitted = [api.submit(SMALL, next(seeds)) for _ in range(20)]
    # Connections tell of their transactions some seconds late.
    time.sleep(SECONDS)
    pid = api.process.pid
    memory = rss_mib(pid)
    watch = Watch(pg, api)
    time.sleep(SECONDS)
    idle = watch.told()
    waiting = selectors.DefaultSelector()
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", api.port), timeout=30)
        path = f"/v1/jobs/{submitted[number % len(submitted)]}/events"
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{api.port}\r\n\r\n".encode())
        connection.setblocking(False)
        waiting.register(connection, selectors.EVENT_READ, bytearray())
    # They look soon after they began, and less often then.
    time.sleep(SECONDS)
    watch = Watch(pg, api)
    time.sleep(SECONDS)
    spent = watch.told()
    each = (rss_mib(pid) - memory) * 1024 / count
    connections = pg.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trellis'")
    more = [after - before for before, after in zip(idle, spent, strict=True)]
    print(f"{count} followers who hear of nothing: {each:.0f} KiB each, {connections} connections of all servers to the database")
    print(f"  a second: {more[0]:.1f} ms of the database's processor, {more[1]:.1f} of the server's, {more[2]:.0f} transactions")
    begun = time.monotonic()
    for job in submitted:
        api.ask("POST", f"/v1/jobs/{job}/cancel")
    ends = 0
    deadline = begun + 60
    last = begun
    while ends < count and time.monotonic() < deadline:
        for key, _ in waiting.select(1):
            got = key.fileobj.recv(65536)  # type: ignore[union-attr]
            key.data.extend(got)
            if b'"state":"cancelled"' in key.data or not got:
                ends += b'"state":"cancelled"' in key.data
                last = time.monotonic()
                waiting.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
    print(f"  {ends} of them heard of the end, the last {(last - begun) * 1000:.0f} ms after the first was cancelled", flush=True)


def main() -> int:
    program, folder, jobs, followers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pg = Postgres(folder / "one", SETTINGS)
    servers: list[Server] = []
    try:
        pg.begin()
        flags = ["--store", pg.url, "--blobs", str(folder / "blobs")]
        flags += ["--limits-queued-jobs", "100000", "--retention-keep-jobs", "0", "--retention-keep-days", "0"]
        worker_flags = [*flags, *model(folder, 0.0, 4)]
        api = Server(program, folder / "api", "api", [*flags, "--default-quality=exact", "--limits-connections", "4000"])
        servers.append(api)
        api.wait()
        worker = Server(program, folder / "worker", "worker", worker_flags)
        servers.append(worker)
        workers_ready(pg, 1)
        ready = lambda: api.ask("GET", "/v1/health/ready")[0] == 200  # noqa: E731
        # The servers hear of each other every few seconds.
        until("it is ready", 60, ready)
        api.submit(SMALL, next(seeds))
        until("the first job is done", 120, lambda: pg.ask(DONE) == "1")
        for count in (0, jobs):
            if count:
                begun = time.monotonic()
                fill(pg, count)
                size = pg.ask("SELECT pg_size_pretty(pg_database_size('postgres'))")
                print(f"filled in {time.monotonic() - begun:.0f} s: {size}", flush=True)
            print(f"{pg.ask('SELECT count(*) FROM trellis.jobs')} jobs:", flush=True)
            reads(api, pg)
            changes(api, worker, pg)
            if not count:
                # Whoever would work on the jobs holds still, and they wait.
                worker.pause()
                follow(api, pg, followers)
                worker.go_on()
                until("it is ready again", 60, ready)
    finally:
        for server in servers:
            server.kill()
        pg.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
