"""The server's own cost beside the floor; overhead.sh says how to run it."""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from jobs import ALONE, RESULT_BYTES, Cost, Server, alone, children, cpu_ms, picture

WORKER = Path(__file__).with_name("floor_worker.py")
FLUSHES = 100
# What the project allows itself.
MOST_PROCESSOR = 2.0
MOST_FLUSHES = 3.0


def flush_ms(folder: Path) -> float:
    """What a small write that is flushed costs on this disk (median)."""
    times = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            begun = time.monotonic()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append((time.monotonic() - begun) * 1000)
    return statistics.median(times)


def floor_cost(floor: str, png: bytes) -> Cost:
    command = [floor, sys.executable, str(WORKER), str(RESULT_BYTES)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    connection = http.client.HTTPConnection(process.stdout.readline().strip())
    worker = children(process.pid)[0]

    def job() -> None:
        connection.request("POST", "/", png)
        answer = connection.getresponse()
        assert answer.status == 200 and len(answer.read()) == RESULT_BYTES

    for _ in range(3):
        job()
    before = cpu_ms(process.pid), cpu_ms(worker)
    times = []
    # More of them than of the server's: the clock for processor time ticks slowly.
    for _ in range(5 * ALONE):
        begun = time.monotonic()
        job()
        times.append((time.monotonic() - begun) * 1000)
    server, python = cpu_ms(process.pid) - before[0], cpu_ms(worker) - before[1]
    process.kill()
    process.wait()
    return Cost(server / (5 * ALONE), python / (5 * ALONE), statistics.median(times))


def main() -> None:
    arguments = sys.argv[1:]
    judging = arguments[0] == "--judge"
    trellis, floor, folder = arguments[judging:]
    png = picture()
    flush = flush_ms(Path(folder))
    least = floor_cost(floor, png)
    server = Server(trellis, Path(folder) / "home")
    ours = alone(server, png)
    server.stop()
    # The last of these after the server, so that a machine that grew busy shows.
    later = floor_cost(floor, png)
    ratio = ours.server_ms / least.server_ms
    flushes = (ours.result_ms - least.result_ms) / flush
    print(f"a flush of this disk takes {flush:.2f} ms (median of {FLUSHES})")
    print("                     processor time of the    from request")
    print("                     server      worker       to result (p50)")
    for name, cost in [("the floor", least), ("the floor, later", later), ("trellis", ours)]:
        print(f"{name:18} {cost.server_ms:8.2f} ms {cost.worker_ms:8.2f} ms {cost.result_ms:12.2f} ms")
    print(f"trellis takes {ratio:.1f} times the floor's processor time (aim: {MOST_PROCESSOR:.0f})")
    print(f"and {flushes:.1f} flushes longer than the floor (aim: {MOST_FLUSHES:.0f})")
    sys.exit(judging and (ratio > MOST_PROCESSOR or flushes > MOST_FLUSHES))


if __name__ == "__main__":
    main()
