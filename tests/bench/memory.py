"""How much memory the server holds; memory.sh says how to run it."""

from __future__ import annotations

import resource
import socket
import sys
import time

from server import MIB, Server, noise
from uploads import at_once, form


def row(what: str, held: int, idle: int) -> None:
    print(f"| {what} | {held / MIB:.1f} MiB | {(held - idle) / MIB:+.1f} MiB |", flush=True)


def open_idle(server: Server, count: int) -> list[socket.socket]:
    """Connections that asked once and are kept, from as many addresses as one address may have few."""
    streams = []
    for number in range(count):
        source = (f"127.0.{1 + number // 10000}.{1 + number % 100}", 0)
        stream = socket.create_connection(("127.0.0.1", server.port), timeout=30, source_address=source)
        stream.sendall(b"GET /v1/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert stream.recv(4096).startswith(b"HTTP/1.1 200")
        streams.append(stream)
    return streams


def main() -> None:
    program, wanted = sys.argv[1], int(sys.argv[2])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections = min(wanted, (hard - 1024) // 2)
    print("| | resident | more than idle |\n|---|---:|---:|")
    with Server(program) as server:
        time.sleep(2)
        started = server.memory()
        row("just started", started, started)
        picture = noise(620)
        for turn in ("first", "second"):
            server.forget_most_memory()
            statuses = at_once(server.port, form(picture), 200)
            row(f"200 uploads of {len(picture) / MIB:.1f} MiB at once, {turn} time, most", server.memory("VmHWM"), started)
            server.cancel_all()
            time.sleep(10)
            row("10 s later", server.memory(), started)
            print(f"answers by status: {statuses}", file=sys.stderr)
    with Server(program, "--limits-connections", str(connections * 2)) as server:
        time.sleep(2)
        started = server.memory()
        streams = open_idle(server, connections)
        row(f"{len(streams)} idle connections", server.memory(), started)
        for stream in streams:
            stream.close()
        time.sleep(10)
        row("10 s after they are closed", server.memory(), started)


if __name__ == "__main__":
    main()
