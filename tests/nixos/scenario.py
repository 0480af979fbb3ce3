#!/usr/bin/env python3
"""What a running service must do, from outside: refuse who has no key, make a valid GLB, survive kill -9.

    scenario.py --url URL --key KEY --pid COMMAND --kill COMMAND [--backend trellis]

COMMAND is for the shell: the first prints the process id of the server, the second kills it so that its
service manager starts it again. The same script drives the service in the NixOS VM test, under systemd
and as plain processes. Only Python's own modules; exit code 0 means that all of it held.
"""

import argparse
import http.client
import json
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

# How long to wait for one answer. A service that is started again answers late, and the socket holds the
# connection meanwhile.
ANSWER_SECONDS = 60
# How often a request may be cut off: the server that is killed may have taken it already.
ATTEMPTS = 5


def check(holds: bool, expectation: str, found: object = "") -> None:
    if not holds:
        sys.exit(f"FAILED {expectation}; found: {found!r}")


def done(what: str) -> None:
    print(f"ok {what}", flush=True)


def picture(side: int = 128) -> bytes:
    """A PNG of an orange disc on white."""

    def pixel(x: int, y: int) -> tuple[int, int, int]:
        inside = (2 * x - side) ** 2 + (2 * y - side) ** 2 < (side * 0.7) ** 2
        return (220, 120, 40) if inside else (255, 255, 255)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    rows = b"".join(
        b"\0" + bytes(value for x in range(side) for value in pixel(x, y))
        for y in range(side)
    )
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Service:
    """The HTTP interface, and the two commands of whoever runs it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.place = urllib.parse.urlsplit(arguments.url)
        self.key = arguments.key
        self.backend = arguments.backend
        self.commands = arguments

    def ask(
        self, method: str, path: str, key: str | None, body=None, headers=None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request. A refused connection is a failure: the socket has to be there all the time."""
        authorization = {"Authorization": f"Bearer {key}"} if key is not None else {}
        for left in reversed(range(ATTEMPTS)):
            connection = http.client.HTTPConnection(
                self.place.hostname, self.place.port, timeout=ANSWER_SECONDS
            )
            try:
                connection.request(
                    method, path, body, {**(headers or {}), **authorization}
                )
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (
                ConnectionResetError,
                http.client.RemoteDisconnected,
                http.client.IncompleteRead,
            ):
                if left == 0:
                    raise
            finally:
                connection.close()
        raise AssertionError("the loop above returns or raises")

    def get(self, path: str) -> bytes:
        status, _, body = self.ask("GET", path, self.key)
        check(status == 200, f"GET {path} is answered with 200", (status, body[:500]))
        return body

    def submit(self, seed: int) -> str:
        """Submits a job; its path."""
        form = "scenario-boundary"
        head = f'--{form}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{{"seed": {seed}}}\r\n'
        backend = f'--{form}\r\nContent-Disposition: form-data; name="backend"\r\n\r\n{self.backend}\r\n'
        image = f'--{form}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        body = (
            head.encode()
            + backend.encode()
            + image.encode()
            + picture()
            + f"\r\n--{form}--\r\n".encode()
        )
        headers = {
            "Content-Type": f"multipart/form-data; boundary={form}",
            # Sent again after a cut-off answer, it is still one job.
            "Idempotency-Key": f"scenario-{seed}-{time.time_ns()}",
        }
        status, answered, text = self.ask("POST", "/v1/jobs", self.key, body, headers)
        check(status == 202, "a job is accepted with 202", (status, text[:500]))
        return answered["Location"]

    def finished(self, job: str) -> dict:
        """Follows the job's events until they end; the job then."""
        self.ask("GET", f"{job}/events", self.key)
        found = json.loads(self.get(job))
        check(found["state"] == "succeeded", f"{job} succeeds", found)
        made_by = found["made_by"]
        check(made_by == self.backend, f"{self.backend} makes {job}", found)
        return found

    def run(self, command: str) -> str:
        ran = subprocess.run(
            command, shell=True, capture_output=True, text=True, timeout=ANSWER_SECONDS
        )
        check(ran.returncode == 0, f"`{command}` works", ran.stderr)
        return ran.stdout.strip()

    def pid(self) -> int:
        return int(self.run(self.commands.pid))

    def kill(self) -> None:
        self.run(self.commands.kill)


def refuses_who_has_no_key(service: Service) -> None:
    for key in (None, "wrong", service.key + "x"):
        status, headers, body = service.ask("GET", "/v1/jobs", key)
        check(status == 401, f"401 for the key {key!r}", (status, body[:500]))
        check(
            headers["Content-Type"].startswith("application/problem+json"),
            "a refusal is a problem",
            headers["Content-Type"],
        )
        check("WWW-Authenticate" in headers, "a refusal says how to come in", headers)
        check(bool(json.loads(body)["fix"]), "a refusal says what to do", body)
        check(service.key.encode() not in body, "a refusal holds no key", body)
    service.get("/v1/jobs")


def valid_glb(glb: bytes, backend: str) -> None:
    """The container as the glTF 2.0 specification has it, and who made it."""
    check(len(glb) > 20, "the GLB has a header", glb)
    magic, version, length = struct.unpack_from("<4sII", glb)
    check(magic == b"glTF", "the GLB begins with glTF", magic)
    check(version == 2, "the GLB is of version 2", version)
    check(length == len(glb), "the GLB is as long as it says", (length, len(glb)))
    chunks, at = [], 12
    while at < len(glb):
        size, kind = struct.unpack_from("<I4s", glb, at)
        chunks.append((kind, glb[at + 8 : at + 8 + size]))
        check(size % 4 == 0 and at + 8 + size <= length, "each chunk fits", (at, size))
        at += 8 + size
    check(
        [kind for kind, _ in chunks] == [b"JSON", b"BIN\0"],
        "the chunks are JSON and BIN",
        [kind for kind, _ in chunks],
    )
    tree = json.loads(chunks[0][1])
    check(bool(tree["meshes"][0]["primitives"]), "there is a mesh", tree)
    check(tree["buffers"][0]["byteLength"] <= len(chunks[1][1]), "the buffer is there")
    maker = tree["asset"].get("extras", {}).get("provenance", {}).get("backend")
    check(maker == backend, f"the GLB says that {backend} made it", maker)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "key", "pid", "kill"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--backend", default="relief")
    service = Service(parser.parse_args())

    service.ask("GET", "/v1/health/live", None)
    done("the socket answers")
    refuses_who_has_no_key(service)
    done("no key and wrong keys are refused, the right one is not")

    kept = service.submit(seed=1)
    before = service.finished(kept)
    model = service.get(f"{kept}/artifacts/model.glb")
    valid_glb(model, service.backend)
    done("a picture becomes a valid GLB")

    pending = service.submit(seed=2)
    killed = service.pid()
    service.kill()
    after = json.loads(service.get(kept))
    check(after == before, "the finished job is as it was", after)
    check(service.get(f"{kept}/artifacts/model.glb") == model, "its GLB is as it was")
    restarted = service.pid()
    check(restarted != killed, "another process answers", (killed, restarted))
    done("after kill -9 the finished job is still there")

    service.finished(pending)
    valid_glb(service.get(f"{pending}/artifacts/model.glb"), service.backend)
    done("the job that was accepted before kill -9 is done")

    refuses_who_has_no_key(service)
    done("keys hold after the restart")


main()
