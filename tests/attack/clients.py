"""Clients that hold what they do not use."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable

from server import Server, png
from withstood import holds


def silent_connections(program: str) -> str:
    """1,100 silent connections where 1,024 files may be open"""
    # Ours are more than the server's.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Server(program, files=1024) as server:
        streams: list[socket.socket] = []
        slowest = 0.0
        for number in range(1100):
            streams.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            if number % 100 == 99:
                slowest = max(slowest, server.health_seconds())
        for stream in streams:
            stream.close()
    holds(slowest < 2, f"health took {slowest:.1f} s")
    return f"health answered within {slowest:.2f} s throughout"


def endless_headers(program: str) -> str:
    """headers that never end"""
    with Server(program) as server, server.connect() as stream:
        began = time.monotonic()
        stream.sendall(b"GET /v1/health/live HTTP/1.1\r\n")
        ended = False
        while not ended and time.monotonic() - began < 45:
            stream.settimeout(2)
            try:
                stream.sendall(b"x: y\r\n")
                ended = stream.recv(4096) == b""
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                ended = True
        seconds = time.monotonic() - began
    holds(ended, f"the connection is still open after {seconds:.0f} s")
    return f"ended after {seconds:.0f} s"


def rebound_name(program: str) -> str:
    """a page whose name points to the server's address (DNS rebinding)"""
    page = ("host: evil.example", "origin: http://evil.example", "sec-fetch-site: same-origin")
    with Server(program) as server:
        _, job = server.submit(png(64, 64))
        server.finished(job["id"])
        one = f"/v1/jobs/{job['id']}"
        answers = {
            f"{method} {path}": server.status(method, path, *page)
            for method, path in [
                ("GET", "/"),
                ("GET", "/v1/jobs"),
                ("GET", f"{one}/artifacts/model.glb"),
                ("DELETE", one),
                ("GET", "http://evil.example/v1/jobs"),
            ]
        }
        answers["two hosts"] = server.status("GET", "/v1/jobs", "host: localhost", "host: evil.example")
        answers["no host"] = server.status("GET", "/v1/jobs")
        kept, _ = server.call("GET", one)
    wrong = {what: status for what, status in answers.items() if status not in (400, 421)}
    holds(not wrong and kept == 200, f"answered: {wrong}; the job afterwards: {kept}")
    return f"{len(answers)} requests refused, the job is still there"


ATTACKS: list[Callable[[str], str]] = [silent_connections, endless_headers, rebound_name]
