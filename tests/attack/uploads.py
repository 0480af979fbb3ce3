"""Uploads that hold what others need: slow ones, ones that stop, many at once."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from server import MIB, Server, noise, png, until
from withstood import holds

# A client that keeps to this is never refused for its pace (docs/security.md).
LEAST_RATE = 8 * 1024


def form(picture: bytes) -> bytes:
    """A whole request that submits one picture."""
    head = b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    body = head + picture + b"\r\n--cut--\r\n"
    lines = [
        "POST /v1/jobs HTTP/1.1",
        "host: localhost",
        "connection: close",
        "content-type: multipart/form-data; boundary=cut",
        f"content-length: {len(body)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def at_once(port: int, request: bytes, count: int) -> dict[int, int]:
    """Sends a request so many times at once, a piece of each in turn; how often each status was answered."""
    statuses: dict[int, int] = {}
    with selectors.DefaultSelector() as ready:
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", port), timeout=30)
            stream.setblocking(False)
            ready.register(stream, selectors.EVENT_READ | selectors.EVENT_WRITE, 0)
        while ready.get_map():
            for key, events in ready.select(120):
                stream, sent = key.fileobj, key.data
                assert isinstance(stream, socket.socket)
                try:
                    if events & selectors.EVENT_WRITE and sent < len(request):
                        sent += stream.send(request[sent : sent + 16384])
                        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if sent < len(request) else 0)
                        ready.modify(stream, wanted, sent)
                    if not events & selectors.EVENT_READ:
                        continue
                    answer = stream.recv(65536)
                except OSError:
                    answer = b""
                ready.unregister(stream)
                stream.close()
                status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
                statuses[status] = statuses.get(status, 0) + 1
    return statuses


class Slow(threading.Thread):
    """Clients that send a submission of 1 MiB no faster than they must."""

    def __init__(self, server: Server, count: int) -> None:
        super().__init__(daemon=True)
        self.request = form(noise(590))
        self.streams = [server.connect() for _ in range(count)]
        self.over = threading.Event()
        self.lost = 0

    def run(self) -> None:
        began, sent = time.monotonic(), 0
        while not self.over.wait(0.25):
            due = 4096 + int((time.monotonic() - began) * LEAST_RATE * 1.1)
            for stream in list(self.streams):
                try:
                    stream.sendall(self.request[sent:due])
                except OSError:
                    self.streams.remove(stream)
                    self.lost += 1
            sent = due

    def __enter__(self) -> Slow:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()
        for stream in self.streams:
            stream.close()


def slow_uploads(program: str) -> str:
    """64 clients that upload at the lowest rate allowed"""
    with Server(program) as server:
        with Slow(server, 64) as slow:
            time.sleep(1)
            began = time.monotonic()
            statuses = [server.submit(png(64, 64))[0] for _ in range(8)]
            seconds = (time.monotonic() - began) / 8
        holds(statuses == [202] * 8, f"eight other submissions got {statuses}")
        holds(slow.lost == 0, f"{slow.lost} slow clients were cut off")
        blobs = server.folder / "data/blobs"
        left = until("the end of what was dropped", lambda: [] if not staged(blobs) else None, 20)
    return f"other submissions accepted within {seconds:.2f} s, {len(left)} files left of the slow ones"


def staged(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*#*") if path.is_file()]


def stopped_uploads(program: str) -> str:
    """40 uploads that stop just before their end and fill all the room for uploads"""
    body = MIB
    with Server(program, "--limits-body-bytes", str(body)) as server:
        request = form(noise(540))
        streams, most = [], 0
        for number in range(40):
            stream = server.connect()
            stream.sendall(request[:-20])
            streams.append(stream)
            time.sleep(0.05)
            if number % 8 == 7:
                sizes = [path.stat().st_size for path in staged(server.folder / "data/blobs") if path.exists()]
                most = max(most, sum(sizes))
        statuses = [server.submit(png(64, 64))[0] for _ in range(3)]
        for stream in streams:
            stream.close()
    holds(statuses == [202] * 3, f"other submissions got {statuses}")
    holds(most < 20 * body, f"{most // MIB} MiB lay on disk")
    return f"others accepted, {most // MIB} MiB on disk at most"


def many_uploads(program: str) -> str:
    """200 uploads of 1.1 MiB at once"""
    with Server(program) as server:
        server.finished(server.submit(noise(620))[1]["id"])
        time.sleep(2)
        idle = server.memory()
        server.forget_most_memory()
        statuses = at_once(server.port, form(noise(620)), 200)
        time.sleep(2)
        most = server.memory("VmHWM")
        # What the jobs themselves take is not the uploads'.
        server.cancel_all()
        time.sleep(10)
        after = server.memory()
    answered = statuses.get(202, 0) + statuses.get(503, 0)
    holds(answered == 200 and statuses.get(202, 0) > 0, f"answered: {statuses}")
    grown, kept = (most - idle) // MIB, (after - idle) // MIB
    holds(grown <= 64 and kept <= 32, f"{grown} MiB more memory, {kept} MiB more 10 s later")
    return f"{grown} MiB more memory, {kept} MiB more 10 s later"


ATTACKS: list[Callable[[str], str]] = [slow_uploads, stopped_uploads, many_uploads]
