"""Requests that bend or break the rules of HTTP, byte by byte over a socket."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server import Server, png
from withstood import holds

KEY = "0123456789abcdef0123456789abcdef"
HOST = "host: localhost\r\n"
LIVE = f"GET /v1/health/live HTTP/1.1\r\n{HOST}\r\n"
PROBLEM = "application/problem+json"
#: An answer of the HTTP library itself: no body.
BARE = ""


@dataclass(frozen=True)
class Case:
    """A request; for each answer its status and media type; whether the connection is kept."""

    what: str
    request: str
    answers: list[tuple[int, str]]
    kept: bool


def get(target: str, *headers: str, method: str = "GET", version: str = "1.1") -> str:
    lines = [f"{method} {target} HTTP/{version}", HOST.strip(), *headers, "", ""]
    return "\r\n".join(lines)


def ok(media: str = "application/json") -> list[tuple[int, str]]:
    return [(200, media)]


def no(status: int) -> list[tuple[int, str]]:
    return [(status, PROBLEM)]


def framing() -> list[Case]:
    """Where a message ends: what two programs in a row could read differently."""
    post = f"POST /v1/jobs HTTP/1.1\r\n{HOST}content-type: application/json\r\n"
    chunk = "2\r\n{}\r\n0\r\n"
    smuggled = "GET /v1/version HTTP/1.1\r\nhost: localhost\r\n\r\n"
    return [
        # By the chunks alone, and the rest is never taken for a request (RFC 9112, section 6.1).
        Case(
            "TE and CL",
            f"{post}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunk}\r\n{smuggled}",
            no(422),
            False,
        ),
        Case(
            "CL and TE",
            f"{post}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n{chunk}\r\n{smuggled}",
            no(422),
            False,
        ),
        Case("two lengths", f"{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}", [(400, BARE)], False),
        Case("a length in a list", f"{post}content-length: 2, 3\r\n\r\n{{}}", [(400, BARE)], False),
        Case("a signed length", f"{post}content-length: +2\r\n\r\n{{}}", [(400, BARE)], False),
        Case(
            "a length beyond 64 bits", f"{post}content-length: 99999999999999999999\r\n\r\n{{}}", [(400, BARE)], False
        ),
        Case("not chunked at the end", f"{post}transfer-encoding: chunked, gzip\r\n\r\n", [(400, BARE)], False),
        Case(
            "chunked in HTTP/1.0",
            post.replace("1.1", "1.0") + f"transfer-encoding: chunked\r\n\r\n{chunk}\r\n",
            [(400, BARE)],
            False,
        ),
        Case(
            "a chunk's size that is none",
            f"{post}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n",
            no(400),
            False,
        ),
        Case(
            "chunks and trailers", f"{post}transfer-encoding: chunked\r\n\r\n{chunk}x-more: yes\r\n\r\n", no(422), True
        ),
        Case("a space before the colon", "GET / HTTP/1.1\r\nhost : localhost\r\n\r\n", [(400, BARE)], False),
        Case("a folded header", f"GET / HTTP/1.1\r\n{HOST}x-a: b\r\n c\r\n\r\n", [(400, BARE)], False),
        Case("a NUL in a header", f"GET / HTTP/1.1\r\n{HOST}x-a: b\0c\r\n\r\n", [(400, BARE)], False),
    ]


def heads() -> list[Case]:
    """Request lines and hosts."""
    return [
        Case("no HTTP", "hello\r\n\r\n", [(400, BARE)], False),
        Case("HTTP/0.9", "GET /\r\n\r\n", [(400, BARE)], False),
        Case("HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [], False),
        Case("a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [(400, BARE)], False),
        Case("HTTP/1.0", "GET /v1/health/live HTTP/1.0\r\n\r\n", ok(), False),
        Case("HTTP/1.0, kept", "GET /v1/health/live HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", ok(), True),
        Case("the last one", get("/v1/health/live", "connection: close"), ok(), False),
        Case("two at once", LIVE + LIVE, ok() + ok(), True),
        Case("no host", "GET /v1/jobs HTTP/1.1\r\n\r\n", no(400), True),
        Case("two hosts", get("/v1/jobs", HOST.strip()), no(400), True),
        Case("a host that is none", "GET /v1/jobs HTTP/1.1\r\nhost: a/b\r\n\r\n", no(400), True),
        Case("another host", "GET /v1/jobs HTTP/1.1\r\nhost: evil.example\r\n\r\n", no(421), True),
        Case("a whole URL", get("http://localhost/v1/health/live"), ok(), True),
        Case("a whole URL of another", get("http://evil.example/v1/jobs"), no(421), True),
        Case("a proxy's method", get("localhost:80", method="CONNECT"), no(405), True),
        Case("bad percent-encoding", get("/v1/jobs/%zz"), no(400), True),
        Case("percent-encoding that is not UTF-8", get("/v1/jobs/%ff%fe"), no(400), True),
        Case("a path out of the server", get("/v1/jobs/../../etc/passwd"), no(404), True),
        Case("a long target", get("/v1/jobs?cursor=" + "x" * 9000), no(414), True),
        Case("a target beyond 64 KiB", get("/" + "x" * 70_000), [(414, BARE)], False),
        Case("long headers", get("/v1/jobs", "x-a: " + "x" * 40_000), no(431), True),
        Case("endless headers", get("/v1/jobs", "x-a: " + "x" * 1_000_000), [(431, BARE)], False),
        Case("101 headers", get("/v1/jobs", *[f"x-{number}: y" for number in range(101)]), [(431, BARE)], False),
    ]


def methods(job: str) -> list[Case]:
    """Methods, conditions and ranges."""
    glb, file = "model/gltf-binary", f"/v1/jobs/{job}/artifacts/model.glb"
    stale = 'if-match: "stale"'
    paths = ["/v1/jobs", f"/v1/jobs/{job}", "/v1/version", "/v1/health/ready", "/v1/workers", "/openapi.json"]
    html = "text/html; charset=utf-8"
    return [
        *[Case(f"HEAD {path}", get(path, method="HEAD"), ok(), True) for path in paths],
        *[Case(f"HEAD {path}", get(path, method="HEAD"), ok(html), True) for path in ("/", "/docs")],
        Case("HEAD of a file", get(file, "range: bytes=0-1", method="HEAD"), ok(glb), True),
        Case("HEAD of events", get(f"/v1/jobs/{job}/events", method="HEAD"), ok("text/event-stream"), True),
        Case("OPTIONS", get(file, method="OPTIONS"), [(204, "")], True),
        Case("OPTIONS of the server", get("*", method="OPTIONS"), [(204, "")], True),
        Case("* of another method", get("*"), no(404), True),
        Case("a method that is not there", get(file, method="PUT"), no(405), True),
        Case("a method that nobody knows", get("/v1/jobs", method="BREW"), no(405), True),
        Case("TRACE", get("/v1/jobs", method="TRACE"), no(405), True),
        Case("If-Match", get(file, stale), no(412), True),
        Case("If-Match of a job", get(f"/v1/jobs/{job}", stale, method="DELETE"), no(412), True),
        Case("If-None-Match: *", get(file, "if-none-match: *"), [(304, glb)], True),
        Case(
            "If-None-Match: * of a change", get(f"/v1/jobs/{job}", "if-none-match: *", method="DELETE"), no(412), True
        ),
        # Files have no dates, so it says nothing (RFC 9110, section 13.1.4).
        Case("If-Unmodified-Since", get(file, "if-unmodified-since: Tue, 24 Nov 2020 08:00:00 GMT"), ok(glb), True),
        Case("one range", get(file, "range: bytes=0-3"), [(206, glb)], True),
        Case("several ranges", get(file, "range: bytes=0-3,8-9"), ok(glb), True),
        Case("a range outside", get(file, "range: bytes=99999999999-"), no(416), True),
        Case("no range", get(file, "range: bytes=9-3"), ok(glb), True),
    ]


def early(key: str = "") -> list[Case]:
    """Bodies that are refused before they are sent."""
    post = f"POST /v1/jobs HTTP/1.1\r\n{HOST}content-type: application/json\r\nexpect: 100-continue\r\n{key}"
    return [
        Case("too large a body", f"{post}content-length: 99999999999\r\n\r\n", no(413), False),
        Case("too small a body", f"{post}content-length: 2\r\n\r\n", [(100, "")], True),
    ]


def by_the_book(program: str) -> str:
    """requests that bend or break the rules of HTTP"""
    with Server(program) as server:
        _, job = server.submit(png(64, 64))
        server.finished(job["id"])
        cases = [*framing(), *heads(), *methods(job["id"]), *early()]
        wrong = [fault for case in cases if (fault := differs(server, case))]
        kept, _ = server.call("GET", f"/v1/jobs/{job['id']}")
    holds(kept == 200, f"the job afterwards: {kept}")
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"ada {KEY}\n")
        keys.chmod(0o600)
        with Server(program, "--auth-keys-file", str(keys)) as server:
            refused = [
                Case("no key", early()[1].request, no(401), False),
                Case("a wrong key", early("authorization: Bearer x\r\n")[1].request, no(401), False),
                *early(f"authorization: Bearer {KEY}\r\n"),
            ]
            wrong += [fault for case in refused if (fault := differs(server, case))]
    holds(not wrong, "; ".join(wrong))
    return f"{len(cases) + len(refused)} of them, each answered as docs/http.md says"


def differs(server: Server, case: Case) -> str:
    """What is not as it should be; empty where all is."""
    with server.connect() as stream:
        stream.settimeout(10)
        stream.sendall(case.request.encode("latin-1"))
        head = case.request.startswith("HEAD ")
        reader = Reader(stream, head)
        try:
            answers = [reader.answer() for _ in case.answers]
            kept = False
            if case.answers and case.answers[-1][0] != 100:
                kept = reader.is_kept()
            elif case.answers:
                kept = case.kept
            else:
                answers += [reader.answer()]
        except (EOFError, ConnectionError):
            answers, kept = reader.seen, False
    if answers == case.answers and kept == case.kept:
        return ""
    return f"{case.what}: {answers}, {'kept' if kept else 'closed'}"


class Reader:
    """Answers on a connection, one after the other."""

    def __init__(self, stream: socket.socket, head: bool) -> None:
        self.stream, self.head, self.rest = stream, head, b""
        self.seen: list[tuple[int, str]] = []

    def more(self) -> None:
        part = self.stream.recv(65536)
        if not part:
            raise EOFError
        self.rest += part

    def until(self, mark: bytes) -> bytes:
        while mark not in self.rest:
            self.more()
        found, self.rest = self.rest.split(mark, 1)
        return found

    def exactly(self, length: int) -> bytes:
        while len(self.rest) < length:
            self.more()
        found, self.rest = self.rest[:length], self.rest[length:]
        return found

    def answer(self) -> tuple[int, str]:
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status, media = int(first.split(" ")[1]), headers.get("content-type", "")
        body = b""
        if not self.head and status not in (100, 204, 304):
            if headers.get("transfer-encoding") == "chunked":
                while size := int(self.until(b"\r\n"), 16):
                    body += self.exactly(size)
                    self.exactly(2)
                self.exactly(2)
            else:
                body = self.exactly(int(headers.get("content-length", "0")))
        if media == PROBLEM and not self.head:
            assert json.loads(body)["status"] == status, body
        if status in (204, 405) and "OPTIONS" not in headers.get("allow", ""):
            media = f"{media} without Allow"
        self.seen.append((status, media))
        return status, media

    def is_kept(self) -> bool:
        """Whether the next request on the connection is answered."""
        try:
            self.stream.sendall(LIVE.encode())
            self.head = False
            seen = list(self.seen)
            again = self.answer()
            self.seen = seen
            return again == ok()[0]
        except (EOFError, ConnectionError):
            return False


ATTACKS: list[Callable[[str], str]] = [by_the_book]
