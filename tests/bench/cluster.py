"""Several servers and one database, measured; cluster.sh says how to run it."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from machines import Postgres, Server, model, until, workers_ready
from together import ALONE, CLIENTS, SUBMISSIONS, Watch, alone, at_once

# Twice a job.
SLEEP = 2.0
SLOTS = 4
ROUNDS = 6
# Seconds.
IDLE = 10.0


def main() -> int:
    program, folder, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pg, standby = Postgres(folder / "one"), Postgres(folder / "two")
    servers: list[Server] = []
    try:
        pg.begin()
        standby.follow(pg)
        flags = ["--store", pg.url, "--blobs", str(folder / "blobs"), "--limits-queued-jobs", "100000"]
        worker_flags = [*flags, *model(folder, SLEEP, SLOTS)]
        api = Server(program, folder / "api", "api", [*flags, "--default-quality=exact"])
        servers.append(api)
        api.wait()
        rates: list[float] = []
        for nodes in range(1, most + 1):
            servers.append(Server(program, folder / f"worker-{nodes}", "worker", worker_flags))
            workers_ready(pg, nodes)
            count = nodes * SLOTS * ROUNDS
            at_once(api, count)
            done = "SELECT count(*) FROM trellis.jobs WHERE state IN ('succeeded', 'failed')"
            until("all are done", 300, lambda done=done, count=count: pg.ask(done) == str(count))
            times = "SELECT at FROM trellis.history WHERE state = '{}' ORDER BY at"
            begun = [int(at) / 1e6 for at in pg.ask(times.format("running")).split()]
            ended = [int(at) / 1e6 for at in pg.ask(times.format("succeeded")).split()]
            rates.append(count / (ended[-1] - begun[0]))
            print(f"{nodes} servers: {rates[-1]:.2f} jobs a second, {rates[-1] / rates[0]:.2f} times one server", flush=True)
            pg.ask("DELETE FROM trellis.jobs")
            # Connections tell of their transactions some seconds late.
            time.sleep(IDLE)
            watch = Watch(pg)
            time.sleep(IDLE)
            of_database, _, transactions = watch.told()
            idle = f"{nodes} servers with nothing to do: {of_database:.1f} ms of the database's processor a second"
            print(f"{idle}, {transactions:.1f} transactions a second", flush=True)
        waits = alone(api, pg)
        begun_after = f"{statistics.median(waits):.0f} ms (median of {ALONE}; nine in ten {waits[ALONE * 9 // 10 - 1]:.0f} ms)"
        print(f"a job that waits for nobody is begun after {begun_after}", flush=True)
        rate = SUBMISSIONS / at_once(api, SUBMISSIONS)
        print(f"submissions: {rate:.0f} a second from {CLIENTS} clients, on two disks each before its answer")
    finally:
        for server in servers:
            server.kill()
        standby.stop()
        pg.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
