"""Clients of HTTPS: handshakes that do not end, and those of another language."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server import Server
from withstood import holds

#: A certificate for `localhost` that means nothing, with its key.
PEM = Path(__file__).parent / "localhost.pem"
LIVE = b"GET /v1/health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


@contextmanager
def https(program: str, files: int | None = None) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "localhost.pem"
        shutil.copyfile(PEM, pem)
        pem.chmod(0o600)
        with Server(program, "--tls-certificate", str(pem), "--tls-key", str(pem), files=files) as server:
            yield server


def healthy(server: Server) -> float:
    """How long an honest client waits for its handshake and the smallest answer."""
    began = time.monotonic()
    context = ssl.create_default_context(cafile=str(PEM))
    with server.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as stream:
        stream.sendall(LIVE)
        answer = stream.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK"), answer
    return time.monotonic() - began


def unfinished_handshakes(program: str) -> str:
    """1,100 TLS handshakes that stop in the middle, where 1,024 files may be open"""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with https(program, files=1024) as server:
        streams: list[socket.socket] = []
        slowest = 0.0
        began = time.monotonic()
        for number in range(1100):
            stream = server.connect()
            # The head of a handshake's record and some of what it announces.
            stream.sendall(b"\x16\x03\x01\x02\x00\x01\x00" + os.urandom(20))
            streams.append(stream)
            if number % 100 == 99:
                slowest = max(slowest, healthy(server))
        last = streams[-1]
        last.settimeout(60)
        try:
            ended = last.recv(4096) == b""
        except ConnectionResetError:
            ended = True
        seconds = time.monotonic() - began
        slowest = max(slowest, healthy(server))
        for stream in streams:
            stream.close()
    holds(ended and slowest < 2 and seconds < 45, f"health took {slowest:.1f} s, the last ended after {seconds:.0f} s")
    return f"health answered within {slowest:.2f} s throughout, the last handshake was ended after {seconds:.0f} s"


def wrong_language(program: str) -> str:
    """HTTP, SSH, noise and TLS 1.1 to a port that speaks TLS"""
    hello = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    hello.check_hostname = False
    hello.verify_mode = ssl.CERT_NONE
    hello.minimum_version = hello.maximum_version = ssl.TLSVersion.TLSv1_1
    # Otherwise this side would refuse it.
    hello.set_ciphers("DEFAULT@SECLEVEL=0")
    with https(program) as server:
        answers = [server.raw(LIVE), server.raw(b"SSH-2.0-x\r\n"), server.raw(b"\x80" + os.urandom(4000))]
        noise = server.raw(b"\x16\x03\x01\x10\x00" + os.urandom(4096))
        try:
            with server.connect() as plain, hello.wrap_socket(plain):
                old = "accepted"
        except (ssl.SSLError, OSError):
            old = "refused"
        seconds = healthy(server)
    told = [b"tls_needed" in answer and answer.startswith(b"HTTP/1.1 400 ") for answer in answers]
    holds(all(told) and b"HTTP" not in noise and old == "refused", f"{told}, {noise[:40]!r}, {old}")
    return f"each refused at once, HTTP with 400 and the reason, health within {seconds:.2f} s"


ATTACKS: list[Callable[[str], str]] = [unfinished_handshakes, wrong_language]
