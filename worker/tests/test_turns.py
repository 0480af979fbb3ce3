"""Workers that share a GPU sample in turns."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trellis_worker.protocol import Stage
from trellis_worker.stages import Stages

from .kit import JOB, Worker, WorkerCase


class Turns(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.folder) / "turns"
        self.variables = {"TRELLIS_WORKER_TURNS": str(self.file)}

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While it is open the turn is another worker's."""
        with self.file.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def until_stage(self, worker: Worker, stage: str) -> None:
        while worker.until("progress")["stage"] != stage:
            pass

    def test_a_job_waits_for_its_turn_and_says_so(self) -> None:
        worker = self.ready()
        with self.taken():
            worker.send(self.request())
            heard = [worker.until("progress", "failed") for _ in range(4)]
            self.assertEqual({message.get("stage") for message in heard}, {"preprocess"}, heard)
        end = worker.until("done", "failed")
        self.assertEqual(end["type"], "done", end)

    def test_waiting_is_no_part_of_a_stage(self) -> None:
        stages = Stages(lambda *_step: None, threading.Event(), lambda: None)
        stages.enter(Stage.PREPROCESS)
        stages.waited(1000.0)
        # It took less than it waited.
        self.assertLess(stages.finish()[0].ms, 0)

    def test_the_wait_ends_with_a_cancel(self) -> None:
        worker = self.ready()
        with self.taken():
            worker.send(self.request())
            self.until_stage(worker, "preprocess")
            worker.send({"type": "cancel", "job": JOB})
            self.assertEqual(worker.until("done", "failed", "cancelled")["type"], "cancelled")
        worker.send(self.request())
        self.assertEqual(worker.until("done", "failed")["type"], "done")

    def test_the_next_may_sample_while_a_job_is_finished(self) -> None:
        self.script({"at": "simplify", "do": "hang"})
        worker = self.ready()
        worker.send(self.request())
        self.until_stage(worker, "simplify")
        with self.taken():
            pass
        worker.process.kill()

    def test_what_was_kept_is_decoded_in_turn_too(self) -> None:
        worker = self.ready()
        request = self.request(keep_latents=True)
        worker.send(request)
        name = worker.until("latents", "failed")["name"]
        self.assertEqual(worker.until("done", "failed")["type"], "done")
        with self.taken():
            worker.send(self.request(pictures=0, latents=str(Path(request["out"]) / name)))
            self.assertEqual(worker.until("progress", "failed")["stage"], "decode")
            self.assertEqual(worker.until("progress", "failed")["step"], 0)
        self.assertEqual(worker.until("done", "failed")["type"], "done")

    def test_the_turn_of_a_worker_that_dies_is_over(self) -> None:
        self.script({"at": "sparse_structure", "do": "hang"})
        worker = self.ready()
        worker.send(self.request())
        self.until_stage(worker, "sparse_structure")
        with self.assertRaises(BlockingIOError), self.taken():
            pass
        worker.process.kill()
        worker.process.wait()
        with self.taken():
            pass
