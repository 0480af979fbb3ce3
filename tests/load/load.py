"""The server under load; run.sh says how to run it."""

from __future__ import annotations

import http.client
import json
import re
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from jobs import FORM_HEADERS, Server, at_once, form, picture  # noqa: E402

SECONDS = 20
QUEUE = 40
FOLLOWERS = 1000
JOBS = 100_000
FEW = 20
PAGE = 100
# What an idle machine of two cores is to keep; printed and, with --judge, judged.
HEALTH_MS = 50.0
PAGE_MS = 20.0

problems: list[str] = []
judging = False


def must(holds: bool, what: str) -> None:
    if not holds:
        problems.append(what)


def within(figure: float, limit: float, what: str) -> str:
    """The figure and whether it is within its limit, which is judged on an idle machine alone."""
    if judging:
        must(figure <= limit, f"{what}: {figure:.0f}, at most {limit:.0f}")
    return f"{figure:.1f} ms (limit {limit:.0f}{'' if figure <= limit else ', missed'})"


def quantile(times: list[float], part: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def rss_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024


class Watch:
    """Asks about health all the time, and looks at the server's memory."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.times: list[float] = []
        self.failed: list[str] = []
        self.peak_mib = rss_mib(server.pid)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        paths = ["/v1/health/live", "/v1/health/ready"]
        while not self.over.wait(0.02):
            begun = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
                connection.request("GET", paths[len(self.times) % 2])
                status = connection.getresponse().status
                connection.close()
            except OSError as error:
                self.failed.append(str(error))
                continue
            if status != 200:
                self.failed.append(str(status))
            self.times.append((time.monotonic() - begun) * 1000)
            self.peak_mib = max(self.peak_mib, rss_mib(self.server.pid))

    def end(self) -> None:
        self.over.set()
        self.thread.join()

    def told(self) -> str:
        must(not self.failed, f"health was not well: {self.failed[:3]}")
        p99 = within(quantile(self.times, 0.99), HEALTH_MS, "health p99")
        return f"health p99 {p99} of {len(self.times)}, most memory {self.peak_mib:.0f} MiB"


class Submission:
    """One submission of a client that asks before it sends its picture."""

    def __init__(self, port: int, body: bytes) -> None:
        self.status = 0
        self.id = ""
        self.body_was_asked_for = False
        self.retry_after = ""
        head = f"POST /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nexpect: 100-continue\r\nconnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in FORM_HEADERS.items())
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode())
            stream = connection.makefile("rb")
            line = stream.readline()
            if b" 100 " in line:
                self.body_was_asked_for = True
                stream.readline()
                connection.sendall(body)
                line = stream.readline()
            self.status = int(line.split()[1])
            headers = http.client.parse_headers(stream)
            self.retry_after = headers.get("retry-after", "")
            if self.status == 202:
                self.id = json.loads(stream.read())["id"]


def twice_as_much(trellis: str, folder: Path) -> None:
    """Jobs come at twice the rate at which they are done, whatever becomes of those before."""
    png = picture()
    server = Server(trellis, folder / "twice", flags=("--limits-queued-jobs", str(QUEUE)))
    rate = at_once(server, png)
    before = rss_mib(server.pid)
    watch = Watch(server)
    sent: list[Submission] = []
    broken: list[str] = []

    def submit(seed: int) -> None:
        try:
            sent.append(Submission(server.port, form(png, seed)))
        except (OSError, ValueError, IndexError) as error:
            broken.append(repr(error))

    threads = []
    begun = time.monotonic()
    for number in range(int(2 * rate * SECONDS)):
        time.sleep(max(0.0, begun + number / (2 * rate) - time.monotonic()))
        threads.append(threading.Thread(target=submit, args=(1_000_000 + number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    while any(server.get("/v1/status")["jobs"][state] for state in ("queued", "running")):
        time.sleep(0.2)
    watch.end()
    accepted = [one for one in sent if one.status == 202]
    refused = [one for one in sent if one.status in (429, 503)]
    ends = [server.get(f"/v1/jobs/{one.id}")["state"] for one in accepted]
    must(not broken, f"connections broke: {broken[:3]}")
    must(len(accepted) + len(refused) == len(sent), f"answers: {sorted({one.status for one in sent})}")
    must(bool(refused), "nothing was refused: the load was too small to tell anything")
    must(all(one.retry_after for one in refused), "a refusal without Retry-After")
    read = sum(one.body_was_asked_for for one in refused)
    # Only the first that is refused tells that the queue is full; several may be on their way then.
    must(read <= len(refused) / 4, f"of {len(refused)} refused bodies {read} were asked for")
    must(ends.count("succeeded") == len(ends), f"ends of accepted jobs: {sorted(set(ends))}")
    must(watch.peak_mib <= before * 2 + 64, f"memory grew from {before:.0f} to {watch.peak_mib:.0f} MiB")
    print(f"sustained: {rate:.1f} results a second; offered {2 * rate:.1f} a second for {SECONDS} s")
    print(f"  {len(accepted)} accepted, all finished; {len(refused)} refused, {len(refused) - read} before their body")
    print(f"  {watch.told()}, {before:.0f} MiB before", flush=True)
    server.stop()


def thousand_followers(trellis: str, folder: Path) -> None:
    """A thousand clients follow one job by its events."""
    rules = ({"at": "decode", "do": "sleep", "seconds": 15},)
    # One address may have three quarters of all connections.
    flags = ("--limits-connections", str(FOLLOWERS * 4 // 3 + 100))
    server = Server(trellis, folder / "followers", flags=flags, rules=rules)
    before = rss_mib(server.pid)
    one = Submission(server.port, form(picture(), 1))
    watch = Watch(server)
    waiting = selectors.DefaultSelector()
    request = f"GET /v1/jobs/{one.id}/events HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    for _ in range(FOLLOWERS):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(request)
        connection.setblocking(False)
        waiting.register(connection, selectors.EVENT_READ, bytearray())
    ends: list[float] = []
    follow_until = time.monotonic() + 120
    closed = 0
    while len(ends) + closed < FOLLOWERS and time.monotonic() < follow_until:
        for key, _ in waiting.select(1):
            got = key.fileobj.recv(65536)
            key.data.extend(got)
            if b'"state":"succeeded"' in key.data:
                ends.append(time.monotonic())
            elif got:
                continue
            else:
                closed += 1
            waiting.unregister(key.fileobj)
            key.fileobj.close()
    watch.end()
    must(len(ends) == FOLLOWERS, f"of {FOLLOWERS} followers {len(ends)} heard of the end")
    apart = (ends[-1] - ends[0]) * 1000 if ends else 0
    each = (watch.peak_mib - before) * 1024 / FOLLOWERS
    print(f"{FOLLOWERS} followers: {len(ends)} heard of the end, the last {apart:.0f} ms after the first")
    print(f"  {watch.told()}, {each:.0f} KiB a follower", flush=True)
    server.stop()


def fill_database(fill: str, database: Path) -> None:
    """In memory where there is some: a hundred thousand jobs are as many flushes."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = Path(folder) / "jobs.sqlite"
        subprocess.run([fill, str(made), f"few={FEW}", f"many={JOBS - FEW}"], check=True)
        for file in Path(folder).glob("jobs.sqlite*"):
            if file.name in ("jobs.sqlite", "jobs.sqlite-wal"):
                shutil.copy(file, database.parent / file.name)


def many_jobs(trellis: str, fill: str, folder: Path) -> None:
    """A hundred thousand finished jobs, nearly all of one owner."""
    home = folder / "many"
    (home / "data").mkdir(parents=True, mode=0o700)
    fill_database(fill, home / "data" / "jobs.sqlite")
    keys = home / "keys"
    secrets = {name: f"{name}-secret-of-the-load-test" for name in ("few", "many")}
    keys.write_text("".join(f"{name} {secret}\n" for name, secret in secrets.items()))
    keys.chmod(0o600)
    flags = ("--auth-keys-file", str(keys), "--retention-keep-jobs", "0")
    server = Server(trellis, home, flags=flags, key=secrets["many"])
    connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def page(owner: str, query: str) -> tuple[float, dict]:
        begun = time.monotonic()
        connection.request("GET", f"/v1/jobs?limit={PAGE}{query}", headers={"authorization": f"Bearer {secrets[owner]}"})
        answer = connection.getresponse()
        body = answer.read()
        took = (time.monotonic() - begun) * 1000
        if answer.status != 200:
            raise SystemExit(f"a list is answered with {answer.status}: {body[:500]!r}")
        return took, json.loads(body)

    def pages(owner: str, query: str, expected: int) -> None:
        times, seen, cursor = [], set(), ""
        while True:
            took, answer = page(owner, query + cursor)
            times.append(took)
            seen.update(job["id"] for job in answer["jobs"])
            if "next_cursor" not in answer:
                break
            cursor = f"&cursor={answer['next_cursor']}"
        must(len(seen) == expected, f"{owner}{query} lists {len(seen)} jobs, not {expected}")
        limit = within(quantile(times, 0.99), PAGE_MS, f"a page of {owner}{query}")
        median = statistics.median(times)
        print(f"  {owner}{query or ' all'}: {len(seen)} jobs, {len(times)} pages, median {median:.1f} ms, p99 {limit}")
        medians[owner + query] = median

    medians: dict[str, float] = {}
    print(f"{JOBS} finished jobs, pages of {PAGE}:")
    pages("many", "", JOBS - FEW)
    pages("many", "&state=cancelled", JOBS // 100)
    pages("many", "&state=failed", 0)
    pages("few", "", FEW)
    pages("few", "&state=succeeded", FEW)
    # An owner with a few old jobs does not wait for a look at everybody's.
    must(medians["few"] <= 3 * medians["many"] + 5, f"a short list takes {medians['few']:.0f} ms")
    print(flush=True)
    server.stop()


def main() -> None:
    global judging
    arguments = sys.argv[1:]
    judging = arguments[0] == "--judge"
    trellis, fill, folder = arguments[judging:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    twice_as_much(trellis, Path(folder))
    thousand_followers(trellis, Path(folder))
    many_jobs(trellis, fill, Path(folder))
    for problem in problems:
        print(f"PROBLEM {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
