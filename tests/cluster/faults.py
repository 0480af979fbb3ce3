"""What is done to the cluster while it works. Each says what it did, or `skipped: why`."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from database import Postgres
from rounds import Round, pause_between
from servers import Server, Unanswered, ask, faketime, submit_once, until, wrong_refusal

# A lease is 30 s; a server that was stopped for longer has lost its jobs.
TOO_LATE = 40
CUT_OFF = 30
# Calls are waited for, run again or given up.
STANDBY_AWAY = (8, 35)
BAD_WEATHER = 8
SLOW_DISK = 10
WRITES_A_SECOND = 8


def kill_a_worker(now: Round) -> str:
    worker = now.cluster.begun()
    worker.kill()
    pause_between(0, 1)
    worker.start()
    return f"{worker.name} killed at a job"


def kill_an_api(now: Round) -> str:
    api = random.choice(now.cluster.apis)
    pause_between(0, 0.5)
    api.kill()
    pause_between(0, 2)
    api.start()
    return f"{api.name} killed while it was asked"


def kill_the_primary(now: Round) -> str:
    pause_between(0, 1)
    databases = now.cluster.databases
    databases.primary.kill()
    databases.change_places()
    databases.follow_again()
    return "the primary killed, the standby took its place"


def cut_off_the_primary(now: Round) -> str:
    """It goes on working where nobody hears it; who was connected to it hears nothing, not even that it is gone."""
    if now.cluster.network.why_not:
        return f"skipped: {now.cluster.network.why_not}"
    pause_between(0, 1)
    databases = now.cluster.databases
    databases.primary.machine.cut()
    lost = databases.change_places()
    pause_between(0, 5)
    lost.kill()
    lost.machine.join()
    databases.follow_again()
    return "the primary cut off, the standby took its place"


def cut_off_the_standby(now: Round) -> str:
    """What is committed waits for it, and whoever waits does not know whether it was."""
    if now.cluster.network.why_not:
        return f"skipped: {now.cluster.network.why_not}"
    databases = now.cluster.databases
    databases.standby.machine.cut()
    since = time.monotonic()
    pause_between(*STANDBY_AWAY)
    databases.standby.machine.join()
    seconds = time.monotonic() - since
    until("the standby follows again", 60, databases.primary.has_its_standby)
    return f"the standby cut off for {seconds:.0f} s, for which nothing could be promised"


def silence(now: Round) -> str:
    """A worker is stopped for longer than its lease and goes on with its job; another worker and an API are cut off
    from the database and the storage meanwhile."""
    cluster = now.cluster
    stopped = cluster.begun()
    stopped.pause()
    since = time.monotonic()
    before = cluster.held_by(stopped)
    done = f"{stopped.name} stopped for {TOO_LATE} s with {before} jobs, which others did"
    if not cluster.network.why_not:
        done += "; " + cut_off_a_worker_and_an_api(now, cluster.begun(but=stopped))
    time.sleep(max(0, since + TOO_LATE - time.monotonic()))
    # Others have them by now, or have ended them.
    until("its jobs are taken from it", 60, lambda: cluster.held_by(stopped) == 0)
    stopped.go_on()
    return done


def cut_off_a_worker_and_an_api(now: Round, worker: Server) -> str:
    cluster = now.cluster
    api = random.choice(cluster.apis)
    cut = [worker.machine, api.machine]
    for machine in cut:
        machine.cut()
    since = time.monotonic()
    with ThreadPoolExecutor() as pool:
        picture, key = now.picture(), now.key()
        submitted = pool.submit(submit_once, api, picture, key, 60)
        read = pool.submit(ask, api, f"GET /v1/jobs/{now.jobs[0]}", timeout=CUT_OFF)
        told_unready = pool.submit(becomes_unready, api)
        now.must(told_unready.result(), f"{api.name} calls itself ready without its database")
        now.answered_well(read, f"{api.name}, cut off, was asked for a job")
        time.sleep(max(0, since + CUT_OFF - time.monotonic()))
        for machine in cut:
            machine.join()
        now.answered_well(submitted, f"{api.name}, cut off, was given a job")
    # Whatever became of it.
    now.submit_as(picture, key)
    until(f"{api.name} is ready again", 30, lambda: is_ready(api))
    return f"{worker.name} and {api.name} cut off for {CUT_OFF} s"


def becomes_unready(api: Server) -> bool:
    try:
        return bool(until("it is not ready", CUT_OFF - 5, lambda: not is_ready(api)))
    except RuntimeError:
        return False


def is_ready(api: Server) -> bool:
    """As a load balancer asks: no answer is one too."""
    try:
        answer = ask(api, "GET /v1/health/ready", timeout=5)
    except Unanswered:
        return False
    return answer.status == 200


def set_clocks_wrong(now: Round) -> str:
    if not faketime():
        return "skipped: libfaketime is not here (Debian's package `faketime`)"
    skew = random.choice([300, -300])
    worker, api = random.choice(now.cluster.workers), random.choice(now.cluster.apis)
    for server, seconds in ((worker, skew), (api, -skew)):
        server.kill()
        server.skew = f"{seconds:+d}s"
        server.start()
    return f"{worker.name} has a clock that is {skew:+d} s off, {api.name} one that is off the other way"


def weather(now: Round, turns: list[str], what: str, seconds: float = BAD_WEATHER) -> str:
    """For a while, and then one request in four until the end of the round."""
    storage = now.cluster.storage
    if storage is None:
        return "skipped: `s3s-fs` is not here; tests/setup installs it"
    storage.becomes(*turns)
    time.sleep(seconds)
    met = sum(count for turn, count in storage.seen.items() if turn != "fair")
    storage.becomes(*turns, *["fair"] * 3 * len(turns))
    return f"the storage {what}, {met} requests met that"


def storage_refuses(now: Round) -> str:
    return weather(now, ["refuse"], "answered 503")


def storage_is_slow(now: Round) -> str:
    return weather(now, ["slow"], "took up to 3 s")


def storage_cuts_connections(now: Round) -> str:
    return weather(now, ["cut", "lose", "tear", "fair"], "cut connections")


def slow_down_a_disk(now: Round) -> str:
    databases = now.cluster.databases
    which, who = random.choice([("primary", databases.primary), ("standby", databases.standby)])
    if why := who.disk.why_not_slow:
        return f"skipped: {why}"
    who.disk.slow(WRITES_A_SECOND)
    time.sleep(SLOW_DISK)
    who.disk.fast()
    return f"the {which}'s disk did {WRITES_A_SECOND} writes a second for {SLOW_DISK} s"


def hang_a_workers_disk(now: Round) -> str:
    """First it is slow, then it hangs for longer than a lease. The worker keeps what it has begun: it says that it is
    there whatever its disk does."""
    cluster = now.cluster
    worker = cluster.begun()
    if worker.disk is None or worker.disk.why_not_slow:
        return f"skipped: {worker.disk.why_not_slow if worker.disk else 'no disk'}"
    worker.disk.slow(WRITES_A_SECOND)
    time.sleep(SLOW_DISK)
    worker.disk.hang()
    held = begun_by(now, worker)
    time.sleep(TOO_LATE)
    kept = cluster.attempts_of(worker)
    now.must(kept == held, f"{worker.name}, whose disk hung, held {held} and holds {kept} {TOO_LATE} s later")
    worker.disk.go_on()
    worker.disk.fast()
    return f"{worker.name}'s disk slow for {SLOW_DISK} s and hanging for {TOO_LATE}, in which it kept {len(held)} jobs"


def begun_by(now: Round, worker: Server) -> list[str]:
    """Jobs that this worker has begun and cannot end, submitted until there is one."""

    def one() -> list[str]:
        before = now.cluster.attempts_of(worker)
        if not before:
            now.submit(1)
            return []
        # What it was about to end is ended.
        time.sleep(5)
        after: list[str] = now.cluster.attempts_of(worker)
        return after

    held = until(f"{worker.name} has begun a job", 120, one)
    assert isinstance(held, list)
    return held


def fill_a_workers_disk(now: Round) -> str:
    """It begins nothing more, and others do what it had begun and found no space for."""
    cluster = now.cluster
    worker = cluster.begun()
    if worker.disk is None or worker.disk.why_not:
        return f"skipped: {worker.disk.why_not if worker.disk else 'no disk'}"
    worker.disk.fill()
    until(f"{worker.name} has done or given back what it had begun", 60, lambda: cluster.held_by(worker) == 0)
    now.submit(len(cluster.workers))
    for _ in range(10):
        time.sleep(0.5)
        now.must(cluster.held_by(worker) == 0, f"{worker.name} begins jobs without room for their files")
    worker.disk.empty()

    def works() -> bool:
        now.submit(1)
        return bool(cluster.held_by(worker) > 0)

    until(f"{worker.name} works again", 60, works)
    return f"{worker.name}'s disk full, others did its jobs"


def fill_the_primarys_disk(now: Round) -> str:
    primary: Postgres = now.cluster.databases.primary
    if primary.disk.why_not:
        return f"skipped: {primary.disk.why_not}"
    primary.disk.fill()
    refused, tried = refused_by(now, primary)
    now.must(len(refused) > 0, "nothing was refused while the primary's disk was full")
    primary.disk.empty()
    stopped = 0

    def works() -> bool:
        # It stops if there is no room for its log; whoever looks after it starts it, as systemd does.
        nonlocal stopped
        if primary.has_ended():
            stopped += 1
            primary.start()
        return primary.is_ready() and primary.has_its_standby()

    until("the primary works again, and its standby", 60, works)
    # Whoever was refused asks again.
    for picture, key in tried:
        now.submit_as(picture, key)
    return f"the primary's disk full, refused with {refused}{', PostgreSQL stopped' if stopped else ''}"


def refused_by(now: Round, primary: Postgres) -> tuple[list[int], list[tuple[bytes, str]]]:
    """Submits until two submissions were refused: with which status, and those that were not accepted."""
    refused: list[int] = []
    tried: list[tuple[bytes, str]] = []
    for _ in range(40):
        picture, key = now.picture(), now.key()
        try:
            answer = submit_once(next(now.cluster.any_api()), picture, key)
        except Unanswered:
            tried.append((picture, key))
            continue
        if answer.status in (200, 202):
            now.accepted(str(answer.json()["id"]))
            use_up_the_log(primary)
            continue
        tried.append((picture, key))
        refused.append(answer.status)
        now.must_not(wrong_refusal(answer))
        if len(refused) == 2:
            break
    return refused, tried


def use_up_the_log(primary: Postgres) -> None:
    """So that a few jobs find no room, rather than thousands."""
    much = "SELECT count(pg_logical_emit_message(true, 'room', repeat('x', 250000))) FROM generate_series(1, 8)"
    # It may stop while it is asked.
    with contextlib.suppress(RuntimeError):
        primary.ask(much)


Fault = Callable[[Round], str]
# Of three that follow each other, one at most takes longer than a few seconds.
FAULTS: list[Fault] = [
    kill_a_worker,
    storage_refuses,
    silence,
    kill_the_primary,
    kill_an_api,
    fill_the_primarys_disk,
    storage_is_slow,
    set_clocks_wrong,
    hang_a_workers_disk,
    cut_off_the_primary,
    fill_a_workers_disk,
    slow_down_a_disk,
    storage_cuts_connections,
    cut_off_the_standby,
]
