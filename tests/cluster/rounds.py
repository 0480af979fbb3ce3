"""A round: jobs that are submitted before and during a fault, and what must hold of each of them."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from servers import FINAL, Answer, Follower, Server, Unanswered, ask, damage, submit, until, wrong_refusal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "attack"))

from server import png  # noqa: E402

BEFORE, DURING = 6, 3


def pause_between(least: float, most: float) -> None:
    time.sleep(random.uniform(least, most))


class Round:
    """The jobs of one fault."""

    def __init__(self, cluster: Any, number: int) -> None:
        self.cluster, self.number = cluster, number
        self.jobs: list[str] = []
        self.followers: list[Follower] = []
        self.problems: list[str] = []
        self.lock = threading.Lock()
        self.keys = 0

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.problems.append(what)
            print(f"VIOLATED  {what}", flush=True)

    def must_not(self, wrong: str) -> None:
        self.must(not wrong, wrong)

    def key(self) -> str:
        """An idempotency key that was not used yet."""
        with self.lock:
            self.keys += 1
            return f"{self.number}-{self.keys}"

    def picture(self) -> bytes:
        """One that no other job has."""
        with self.lock:
            self.keys += 1
            return png(1200 + 8 * self.number, 900 + self.keys)

    def accepted(self, job: str) -> None:
        follower = Follower(self.cluster.any_api(), job)
        with self.lock:
            self.jobs.append(job)
            self.followers.append(follower)

    def submit(self, jobs: int, seconds_apart: float = 0) -> None:
        for _ in range(jobs):
            time.sleep(seconds_apart)
            picture, key = self.picture(), self.key()
            job = self.submit_as(picture, key)
            # Asked again under the same key, the answer is the same job.
            if random.random() < 0.3:
                again = submit(self.cluster.any_api(), picture, key, [])
                self.must(again == job, f"{key} was accepted twice, as {job} and {again}")

    def submit_as(self, picture: bytes, key: str) -> str:
        """Until it is accepted; whoever refuses it meanwhile says so well."""
        refused: list[str] = []
        job = submit(self.cluster.any_api(), picture, key, refused)
        for wrong in refused:
            self.must_not(wrong)
        self.accepted(job)
        return job

    def answered_well(self, asked: Future[Answer], what: str) -> Answer | None:
        """Whether there was an answer, and one that helps."""
        try:
            answer = asked.result()
        except Unanswered as error:
            self.must(False, f"{what}: no answer ({error})")
            return None
        if answer.status not in (200, 202):
            wrong = wrong_refusal(answer)
            self.must(not wrong, f"{what}: {wrong}")
        return answer

    def run(self, fault: Callable[[Round], str]) -> None:
        began = time.monotonic()
        try:
            self.submit(BEFORE)
            others = threading.Thread(target=self.submit_meanwhile)
            others.start()
            try:
                done = fault(self)
            finally:
                others.join()
            for job, follower in zip(self.jobs, self.followers, strict=True):
                self.judge(job, follower)
            self.judge_together()
        except RuntimeError as error:
            self.must(False, f"round {self.number + 1}, {fault.__name__}: {error}")
            return
        finally:
            self.cluster.calm()
        seconds = time.monotonic() - began
        found = "jobs, which is not all right" if self.problems else "jobs right"
        print(f"round {self.number + 1}: {done}; {len(self.jobs)} {found} ({seconds:.0f} s)", flush=True)

    def submit_meanwhile(self) -> None:
        try:
            self.submit(DURING, 0.5)
        except RuntimeError as error:
            self.must(False, str(error))

    def judge(self, job: str, follower: Follower) -> None:
        """The invariants, of one job that was accepted."""

        def ended() -> dict[str, Any] | None:
            answer = ask(next(self.cluster.any_api()), f"GET /v1/jobs/{job}")
            found = answer.json() if answer.status == 200 else {}
            self.must(answer.status != 404, f"{job} was accepted and is lost")
            return found if found.get("state") in FINAL else None

        found = until(f"{job} ends", 180, ended)
        self.must(found["state"] == "succeeded", f"{job} ended as {found['state']}: {found.get('failure')}")
        finals = [entry for entry in found["history"] if entry["state"] in FINAL]
        self.must(len(finals) == 1, f"{job} ended {len(finals)} times")
        for api in self.cluster.apis:
            same = until(f"{api.name} tells of {job}", 60, partial(self.told_by, api, job))
            self.must(same == found, f"{api.name} tells of {job} otherwise: {same}, not {found}")
        wrong = until("the files are read", 60, lambda: [damage(next(self.cluster.any_api()), found)])[0]
        self.must_not(wrong)
        names = {artifact["name"] for artifact in found["artifacts"]}
        self.must(len(names) == len(found["artifacts"]), f"{job} shows the results of two attempts")
        self.judge_events(found, follower)

    def told_by(self, api: Server, job: str) -> dict[str, Any] | None:
        answer = ask(api, f"GET /v1/jobs/{job}")
        return answer.json() if answer.status == 200 else None

    def judge_events(self, found: dict[str, Any], follower: Follower) -> None:
        job = found["id"]
        follower.join(120)
        self.must(follower.over, f"the events of {job} have no end: {follower.states}")
        self.must(
            follower.seen == sorted(set(follower.seen)), f"events of {job} out of order or twice: {follower.seen}"
        )
        told = [state for state in follower.states if state in FINAL]
        self.must(told == [found["state"]], f"{job}: its followers were told {follower.states}")
        listed = [entry["state"] for entry in found["history"]]
        self.must(follower.states == listed, f"{job}: {follower.states} was told, {listed} happened")
        # What is kept of them, from the beginning, is what was told, and nothing of it was missed.
        kept = Follower(self.cluster.any_api(), job)
        kept.join(60)
        missed = {seq: event for seq, event in kept.events.items() if follower.events.get(seq) != event}
        self.must(not missed, f"events of {job} that its follower was not told, or otherwise: {missed}")

    def judge_together(self) -> None:
        """What the database has of them: each once, with one end and the files of one attempt."""
        ask_rows = self.cluster.databases.primary.ask
        keys = f"idempotency_key LIKE '{self.number}-%'"
        rows = int(ask_rows(f"SELECT count(*) FROM trellis.jobs WHERE {keys}"))
        accepted = len(set(self.jobs))
        self.must(accepted == len(self.jobs), f"two keys were given one job: {self.jobs}")
        self.must(rows == accepted, f"{accepted} jobs were accepted, {rows} are kept")
        ends = "SELECT count(*) FROM trellis.events e WHERE e.job = j.number AND e.kind->>'state' = 'succeeded'"
        twice = ask_rows(f"SELECT j.id FROM trellis.jobs j WHERE {keys} AND ({ends}) <> 1")
        self.must(not twice, f"not one end was told of: {twice}")
