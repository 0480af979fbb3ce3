"""Several servers and one database, measured; cluster.sh says how to run it."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from together import ALONE, CLIENTS, SUBMISSIONS, Watch, alone, at_once, model

# Found by what `together` adds to the path.
from database import Pair  # isort: skip
from servers import Server, until  # isort: skip

SLEEP = 2.0
SLOTS = 4
ROUNDS = 6
# Seconds.
IDLE = 10.0


def main() -> int:
    program, folder, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pair = Pair(folder)
    servers: list[Server] = []
    try:
        flags = ["--store", pair.url, "--blobs", str(folder / "blobs"), "--limits-queued-jobs", "100000"]
        worker_flags = [*flags, *model(folder, SLEEP, SLOTS)]
        api = Server(program, folder / "api", "api", [*flags, "--default-quality=exact"])
        servers.append(api)
        api.address()
        rates: list[float] = []
        for nodes in range(1, most + 1):
            servers.append(Server(program, folder / f"worker-{nodes}", "worker", worker_flags))
            ready = "SELECT count(*) FROM trellis.nodes, json_array_elements(about->'backends') AS offer"
            ready += " WHERE offer->>'standing' = 'ready' AND about->>'role' = 'worker'"
            until("the workers are ready", 120, lambda ready=ready, nodes=nodes: pair.primary.ask(ready) == str(nodes))
            count = nodes * SLOTS * ROUNDS
            at_once(api, count, f"nodes-{nodes}")
            done = "SELECT count(*) FROM trellis.jobs WHERE state IN ('succeeded', 'failed')"
            until("all are done", 300, lambda done=done, count=count: pair.primary.ask(done) == str(count))
            times = "SELECT at FROM trellis.history WHERE state = '{}' ORDER BY at"
            begun = [int(at) / 1e6 for at in pair.primary.ask(times.format("running")).split()]
            ended = [int(at) / 1e6 for at in pair.primary.ask(times.format("succeeded")).split()]
            rates.append(count / (ended[-1] - begun[0]))
            print(f"{nodes} servers: {rates[-1]:.2f} jobs a second, {rates[-1] / rates[0]:.2f} times one server", flush=True)
            pair.primary.ask("DELETE FROM trellis.jobs")
            watch = Watch(pair.primary)
            time.sleep(IDLE)
            of_database, _, transactions = watch.told()
            idle = f"{nodes} servers with nothing to do: {of_database:.1f} ms of the database's processor a second"
            print(f"{idle}, {transactions:.1f} transactions a second", flush=True)
        waits = sorted(alone(api, pair.primary))
        begun = f"{statistics.median(waits):.0f} ms (median of {ALONE}; nine in ten {waits[ALONE * 9 // 10 - 1]:.0f} ms)"
        print(f"a job that waits for nobody is begun after {begun}", flush=True)
        rate = SUBMISSIONS / at_once(api, SUBMISSIONS, "submit")
        print(f"submissions: {rate:.0f} a second from {CLIENTS} clients, on two disks each before its answer")
    finally:
        for server in servers:
            server.kill()
        pair.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
