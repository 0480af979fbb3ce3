"""What a job costs; jobs.sh says how to run it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "fake_trellis"
GENERATE = ROOT / "crates/trellis-supervisor/src/protocol/messages/to_worker.generate.snap"
RESULT_BYTES = 4 << 20
ALONE = 40
CONNECTIONS = 32
# A worker process is replaced after 200 jobs; these and the others are fewer.
AT_ONCE = 128
COUNTED = 20
TICK = os.sysconf("SC_CLK_TCK")
# Which flush is for what, by the file's path; the first that fits.
CAUSES = [
    ("database's log", r"jobs\.sqlite-wal"),
    ("database", r"jobs\.sqlite"),
    ("picture", r"/blobs/.*[./]input[./]"),
    ("result's file", r"\.glb"),
    ("folder", r"/blobs"),
    ("worker's file", r"/scratch"),
]


def picture(side: int = 591) -> bytes:
    """A PNG of about 1 MiB: noise does not get smaller."""
    row = 3 * side
    noise = os.urandom(row * side)
    lines = b"".join(b"\0" + noise[start : start + row] for start in range(0, row * side, row))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(lines, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


FORM_HEADERS = {"content-type": "multipart/form-data; boundary=cut"}


def form(png: bytes, seed: int) -> bytes:
    """A submission."""
    params = json.dumps({"seed": seed})
    parts = f'--cut\r\ncontent-disposition: form-data; name="params"\r\n\r\n{params}\r\n'
    parts += '--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return parts.encode() + png + b"\r\n--cut--\r\n"


def cpu_ms(pid: int) -> float:
    """Processor time of a process so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICK


def counts(pid: int) -> tuple[int, int]:
    """Page faults of a process so far, and how often its threads waited. Other work on the machine changes them little."""
    waits = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        waits += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text())[1])
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7]), waits


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def model(home: Path, rules: tuple[dict, ...] = ()) -> Path:
    """A model folder whose results have `RESULT_BYTES`; `rules` come first."""
    folder = home / "model"
    subprocess.run([sys.executable, str(FAKE / "model.py"), str(folder)], check=True)
    (folder / "script.json").write_text(json.dumps([*rules, {"at": "export", "do": "pad", "bytes": RESULT_BYTES}]))
    (home / ".cache").mkdir()
    (folder / "torch").rename(home / ".cache" / "torch")
    return folder


class Server:
    """The real program with one worker, ready for jobs; with `trace`, flushes are written there."""

    def __init__(
        self,
        trellis: str,
        home: Path,
        trace: Path | None = None,
        flags: tuple[str, ...] = (),
        key: str = "",
        rules: tuple[dict, ...] = (),
    ) -> None:
        home.mkdir(exist_ok=True)
        folder = model(home, rules)
        self.headers = {"authorization": f"Bearer {key}"} if key else {}
        command = [trellis, "serve", "--data-dir", str(home / "data"), "--model", str(folder)]
        command += ["--python", str(FAKE / "python"), "--gpus", "unchecked:1", "--warm-up=false", "--default-quality=exact"]
        command += ["--preview=false", "--port", "0", "--log-format", "json", "--log-level", "warn", *flags]
        if trace:
            traced = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", str(trace)]
            command = [*traced, *command]
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = ""
        # The banner may be on either stream; the address is in it.
        os.set_blocking(self.process.stdout.fileno(), False)
        os.set_blocking(self.process.stderr.fileno(), False)
        deadline = time.monotonic() + 60
        while not (found := re.search(r"127\.0\.0\.1:(\d+)", said)):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"the server does not start: {said}")
            said += "".join((pipe.read() or b"").decode() for pipe in (self.process.stdout, self.process.stderr))
            time.sleep(0.05)
        self.port = int(found[1])
        for pipe in (self.process.stdout, self.process.stderr):
            os.set_blocking(pipe.fileno(), True)
            threading.Thread(target=pipe.read, daemon=True).start()
        self.pid = children(self.process.pid)[0] if trace else self.process.pid
        while not any(worker["state"] == "ready" for worker in self.get("/v1/workers")["workers"]):
            time.sleep(0.05)
        self.worker = children(self.pid)[0]

    def get(self, path: str) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path, headers=self.headers)
        return json.load(connection.getresponse())

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        self.process.wait()


class Client:
    """One connection that submits, waits for the end and downloads."""

    def __init__(self, port: int, png: bytes) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.png = png

    def job(self, seed: int) -> None:
        status, answer = self.ask("POST", "/v1/jobs", form(self.png, seed), FORM_HEADERS)
        assert status == 202, answer
        path = f"/v1/jobs/{json.loads(answer)['id']}"
        # The stream ends with the job.
        events = self.ask("GET", f"{path}/events")[1]
        assert b'"state":"succeeded"' in events, events[-2000:]
        status, glb = self.ask("GET", f"{path}/artifacts/model.glb")
        assert status == 200 and len(glb) > RESULT_BYTES

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> tuple[int, bytes]:
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()


class Cost(NamedTuple):
    """What a job costs."""

    server_ms: float
    worker_ms: float
    result_ms: float


def alone(server: Server, png: bytes) -> Cost:
    """One job after the other."""
    client = Client(server.port, png)
    for seed in range(3):
        client.job(seed)
    before = cpu_ms(server.pid), cpu_ms(server.worker)
    counted = counts(server.pid)
    times = []
    for seed in range(ALONE):
        begun = time.monotonic()
        client.job(100 + seed)
        times.append((time.monotonic() - begun) * 1000)
    used = [(after - was) / ALONE for was, after in zip(before, (cpu_ms(server.pid), cpu_ms(server.worker)), strict=True)]
    faults, waits = [(after - was) / ALONE for was, after in zip(counted, counts(server.pid), strict=True)]
    print(f"one job after the other: server {used[0]:.1f} ms, worker {used[1]:.1f} ms of processor time a job")
    print(f"  {faults:.0f} page faults of the server and {waits:.0f} waits of its threads a job")
    print(f"  takes {statistics.median(times):.0f} ms (median; least {min(times):.0f}, most {max(times):.0f})")
    return Cost(*used, statistics.median(times))


def at_once(server: Server, png: bytes) -> float:
    """Many connections, each with one job after the other; the rate of results a second."""
    seeds = iter(range(1000, 1000 + AT_ONCE))
    taking = threading.Lock()

    def work() -> None:
        client = Client(server.port, png)
        while True:
            with taking:
                seed = next(seeds, None)
            if seed is None:
                return
            client.job(seed)

    before = cpu_ms(server.pid), cpu_ms(server.worker)
    begun = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = AT_ONCE / (time.monotonic() - begun)
    used = [(after - was) / AT_ONCE for was, after in zip(before, (cpu_ms(server.pid), cpu_ms(server.worker)), strict=True)]
    print(f"{CONNECTIONS} connections: {rate:.1f} results a second; server {used[0]:.1f} ms, worker {used[1]:.1f} ms a job")
    return rate


def flushes(trellis: str, home: Path, png: bytes) -> None:
    if not shutil.which("strace"):
        print("flushes: not counted, strace is not here")
        return
    trace = home.with_suffix(".trace")
    server = Server(trellis, home, trace)
    client = Client(server.port, png)
    client.job(1)
    time.sleep(1)
    start = trace.stat().st_size
    for seed in range(COUNTED):
        client.job(10 + seed)
    time.sleep(1)
    with trace.open() as file:
        file.seek(start)
        lines = [line for line in file if "resumed" not in line and "sync" in line]
    server.stop()
    counts: Counter[str] = Counter()
    for line in lines:
        path = re.search(r"<([^>]*)>", line)
        names = (name for name, pattern in CAUSES if path and re.search(pattern, path[1]))
        counts[next(names, path[1] if path else line)] += 1
    print(f"flushes: {sum(counts.values()) / COUNTED:.1f} a job")
    for cause, count in counts.most_common():
        print(f"  {count / COUNTED:.2f} {cause}")


def worker_alone(home: Path, png: bytes) -> None:
    """The same jobs handed to a worker over its socket: no HTTP, no store, nothing kept."""
    home.mkdir()
    folder = model(home)
    ours, theirs = socket.socketpair()
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "worker"),
        "PYTHONHASHSEED": "0",
        "TRELLIS_WORKER_FD": "0",
        "TRELLIS_WORKER_PARENT": str(os.getpid()),
        "TRELLIS_MODEL_PATH": str(folder),
    }
    command = [str(FAKE / "python"), "-m", "trellis_worker"]
    process = subprocess.Popen(command, env=environment, stdin=theirs, stderr=subprocess.DEVNULL)
    theirs.close()
    stream = ours.makefile("rwb")

    def say(message: dict) -> None:
        body = json.dumps(message).encode()
        stream.write(struct.pack(">I", len(body)) + body)
        stream.flush()

    def until(*kinds: str) -> None:
        while True:
            message = json.loads(stream.read(struct.unpack(">I", stream.read(4))[0]))
            if message["type"] == "failed":
                raise SystemExit(f"the worker fails: {message}")
            if message["type"] in kinds:
                return

    until("hello")
    say({"type": "load", "model": "trellis-image-large", "folder": str(folder), "low_vram": False})
    until("loaded")
    request = json.loads(GENERATE.read_text().split("---", 2)[2])
    request["params"]["quality"] = "exact"
    request.pop("latents", None)

    def job(number: int) -> None:
        scratch = home / str(number)
        scratch.mkdir()
        (scratch / "picture").write_bytes(png)
        request["params"]["seed"] = number
        say({**request, "pictures": [str(scratch / "picture")], "out": str(scratch)})
        until("done")
        (scratch / "model.glb").read_bytes()
        shutil.rmtree(scratch)

    for number in range(3):
        job(number)
    before, begun = cpu_ms(process.pid), time.monotonic()
    for number in range(AT_ONCE):
        job(100 + number)
    rate = AT_ONCE / (time.monotonic() - begun)
    used = (cpu_ms(process.pid) - before) / AT_ONCE
    print(f"worker without a server: {rate:.1f} results a second, {used:.1f} ms a job")
    stream.close()
    ours.close()
    process.wait()


def main() -> None:
    trellis, folder = sys.argv[1], Path(sys.argv[2])
    png = picture()
    worker_alone(folder / "worker", png)
    server = Server(trellis, folder / "home", None)
    alone(server, png)
    at_once(server, png)
    server.stop()
    flushes(trellis, folder / "traced", png)


if __name__ == "__main__":
    main()
