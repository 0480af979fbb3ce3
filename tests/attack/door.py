"""Clients before the door: guessed keys, answers that nobody reads, more connections than files."""

from __future__ import annotations

import os
import resource
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from server import Server, png, until
from withstood import holds

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


def guessed_keys(program: str) -> str:
    """200 guessed keys from the address of a client with a right one"""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"ada {KEY}\nbob {OTHER}\n")
        keys.chmod(0o600)
        with Server(program, "--auth-keys-file", str(keys)) as server:

            def ask(key: str) -> int:
                return server.call("GET", "/v1/jobs", authorization=f"Bearer {key}")[0]

            worked = [ask(KEY)]
            guesses = Counter(ask(f"a-guess-of-somebody-{number}") for number in range(200))
            # The same key, and one that could be a guess: it waits its turn.
            worked.append(ask(KEY))
            waits = ask(OTHER)
            elsewhere = from_address("127.0.0.2", server, OTHER)
            began = time.monotonic()
            until("the other key's turn", lambda: True if ask(OTHER) == 200 else time.sleep(0.2), 30)
            turn = time.monotonic() - began
            log = server.log.read_text()
    counted = "wrong API keys come from this address" in log and "a-guess" not in log
    good = worked == [200, 200] and waits == 429 and elsewhere == 200 and counted
    holds(
        good and guesses[401] <= 20 and guesses[401] + guesses[429] == 200, f"{guesses}, {worked}, {waits}, {elsewhere}"
    )
    return (
        f"{guesses[401]} were looked at, {guesses[429]} got 429; the right key worked throughout, another one "
        f"after {turn:.0f} s and from another address at once"
    )


def from_address(address: str, server: Server, key: str) -> int:
    """The status of an honest request from another address."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(address, 0)) as stream:
        head = f"GET /v1/jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        stream.sendall(head.encode())
        return int(stream.recv(4096).split(b" ", 2)[1])


def silent_readers(program: str) -> str:
    """answers that nobody reads, on 20 connections"""
    picture = png(2500, 2500, noise=True)
    with Server(program) as server:
        _, job = server.submit(picture)
        request = f"GET /v1/jobs/{job['id']}/input/0 HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        files = Path(f"/proc/{server.process.pid}/fd")
        before = len(list(files.iterdir()))
        streams = []
        for _ in range(20):
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.connect(("127.0.0.1", server.port))
            stream.sendall(request)
            streams.append(stream)
        until("their requests", lambda: len(list(files.iterdir())) >= before + 20 or None, 10)
        began, slowest = time.monotonic(), 0.0

        def left() -> float | None:
            nonlocal slowest
            slowest = max(slowest, server.health_seconds())
            time.sleep(0.5)
            return time.monotonic() - began if len(list(files.iterdir())) <= before + 2 else None

        seconds = until("the end of their connections", left, 60)
        for stream in streams:
            stream.close()
    holds(slowest < 2, f"health took {slowest:.1f} s")
    return f"all ended after {seconds:.0f} s, health answered within {slowest:.2f} s"


def no_files_left(program: str) -> str:
    """more connections than the process may have files open (EMFILE)"""
    with Server(program) as server:
        server.health_seconds()
        pid = server.process.pid
        opened = len(os.listdir(f"/proc/{pid}/fd"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + 4, hard))
        streams = [server.connect() for _ in range(40)]
        seconds = max(server.health_seconds() for _ in range(3))
        said = server.log.read_text().count("cannot accept a connection")
        for stream in streams:
            stream.close()
        server.process.send_signal(signal.SIGHUP)
        end = server.terminate()
    holds(1 <= said <= 3 and seconds < 10 and end < 35, f"health {seconds:.1f} s, said {said} times, end {end:.1f} s")
    return f"health answered within {seconds:.1f} s, the log says it {said} times, SIGTERM ended it in {end:.1f} s"


ATTACKS: list[Callable[[str], str]] = [guessed_keys, silent_readers, no_files_left]
