"""Webhooks that lead the server to where its clients cannot go, and receivers that mean it ill."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server import MIB, Server, png, until
from withstood import holds

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BOUNDARY = "multipart/form-data; boundary=cut"


def submit(server: Server, url: str) -> tuple[int, dict[str, object]]:
    head = b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    hook = f'\r\n--cut\r\ncontent-disposition: form-data; name="webhook"\r\n\r\n{url}\r\n--cut--\r\n'
    body = head + png(64, 64) + hook.encode()
    return server.call("POST", "/v1/jobs", body, content_type=BOUNDARY, cache_control="no-cache")


def problem(server: Server, job: object) -> str:
    """What the job says of its webhook once that was tried."""

    def tried() -> str | None:
        hook = server.call("GET", f"/v1/jobs/{job}")[1].get("webhook", {})
        return hook.get("problem") or ("delivered" if hook.get("state") == "delivered" else None)

    return str(until("an attempt", tried, 40))


@contextmanager
def with_secret() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "secret"
        file.write_text(SECRET)
        file.chmod(0o600)
        yield str(file)


class Receiver:
    """Answers each connection by `answer`, and counts them."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.answer = answer
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream:
            try:
                stream.recv(65536)
                self.answer(stream)
            except OSError:
                pass


def says(text: str) -> Callable[[socket.socket], None]:
    return lambda stream: stream.sendall(text.encode())


def silent(stream: socket.socket) -> None:
    while stream.recv(1):
        pass


def endless_body(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        stream.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def endless_headers(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        stream.sendall(b"x-more: " + b"x" * 1000 + b"\r\n")


def webhooks_inside(program: str) -> str:
    """webhooks into the server's own network, by numbers in every notation, names, and a user name before the host"""
    inside = Receiver(says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
    port = inside.port
    hosts = [
        "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "100.64.0.1",
        "169.254.169.254", "172.16.0.1", "192.168.0.1", "224.0.0.1", "[fe80::1]", "[fd00::1]", "[ff02::1]",
        "localhost", "a.localhost", "LOCALHOST.", "user@127.0.0.1", "example.com@127.0.0.1", "%31%32%37.0.0.1",
    ]  # fmt: skip
    with with_secret() as secret, Server(program, "--webhooks-secret-file", secret) as server:
        statuses = {host: submit(server, f"https://{host}:{port}/")[0] for host in hosts}
        statuses["http"] = submit(server, f"http://{socket.gethostname()}:{port}/")[0]
        taken = [host for host, status in statuses.items() if status != 422]
        # A name that is not judged by itself, and leads to this machine.
        status, job = submit(server, f"https://{socket.gethostname()}:{port}/")
        said = problem(server, job["id"]) if status == 202 else str(status)
        health = server.health_seconds()
    good = not taken and said in ("its name leads to no public address", "it cannot be reached")
    holds(good and inside.connections == 0, f"taken: {taken}; {said}; {inside.connections} connections")
    return f"{len(statuses)} addresses refused with 422, this machine's own name not connected to, health within {health:.2f} s"


def hostile_receivers(program: str) -> str:
    """webhooks whose receivers never answer, send headers or a body for ever, or redirect inside"""
    inside = Receiver(says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
    redirect = f"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.2:{inside.port}/\r\ncontent-length: 0\r\n\r\n"
    receivers = {
        "silent": Receiver(silent),
        "headers": Receiver(endless_headers),
        "body": Receiver(endless_body),
        "redirect": Receiver(says(redirect)),
    }
    honest = Receiver(says("HTTP/1.1 204 No Content\r\n\r\n"))
    # The last octet tells hosts apart: two connections go to one at a time.
    flags = ("--webhooks-allow", "127.0.0.0/8")
    with with_secret() as secret, Server(program, "--webhooks-secret-file", secret, *flags) as server:
        until("the first job", lambda: server.finished(str(submit(server, url_of(3, honest))[1]["id"])), 30)
        memory = server.memory()
        jobs = {}
        for number, (name, receiver) in enumerate(receivers.items()):
            for _ in range(5):
                _, jobs[name] = submit(server, url_of(10 + number, receiver))
        _, told = submit(server, url_of(4, honest))
        began = time.monotonic()
        arrived = problem(server, told["id"])
        seconds = time.monotonic() - began
        said = {name: problem(server, job["id"]) for name, job in jobs.items() if name in ("redirect", "body")}
        more = server.memory() - memory
        health = server.health_seconds()
        stopped = server.terminate()
    good = arrived == "delivered" and "redirects are not followed" in said["redirect"] and said["body"] == "delivered"
    good = good and inside.connections == 0 and stopped < 10 and more < 64 * MIB
    holds(good, f"{arrived}, {said}, {inside.connections}, {more // MIB} MiB, {stopped:.1f} s, {json.dumps(said)}")
    return (
        f"the honest receiver was told within {seconds:.1f} s, nothing followed inside, {more // MIB} MiB more memory, "
        f"health within {health:.2f} s, SIGTERM ended it in {stopped:.1f} s"
    )


def url_of(octet: int, receiver: Receiver) -> str:
    return f"http://127.0.0.{octet}:{receiver.port}/"


ATTACKS = [webhooks_inside, hostile_receivers]
