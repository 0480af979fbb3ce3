"""Work for the processor stays on as many cores as the supervisor allows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import unittest
from unittest import mock

from trellis_worker import cores

from .kit import ROOT


def of_a_new_thread() -> set[int]:
    """The cores that a thread started now may use."""
    found: list[set[int]] = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
    thread.start()
    thread.join()
    return found[0]


class Cores(unittest.TestCase):
    def setUp(self) -> None:
        self.all = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, self.all)

    def test_threads_started_meanwhile_share_the_cores_that_are_allowed(self) -> None:
        with mock.patch.dict(os.environ, {cores.VARIABLE: "1"}), cores.kept_to_cores():
            self.assertEqual(len(of_a_new_thread()), 1)
            self.assertLessEqual(of_a_new_thread(), self.all)
        self.assertEqual(of_a_new_thread(), self.all)

    def test_a_failure_gives_the_cores_back(self) -> None:
        with (
            mock.patch.dict(os.environ, {cores.VARIABLE: "1"}),
            self.assertRaises(ValueError),
            cores.kept_to_cores(),
        ):
            raise ValueError
        self.assertEqual(os.sched_getaffinity(0), self.all)

    def test_any_number_of_cores_of_a_large_machine_can_be_allowed(self) -> None:
        machine, asked = set(range(0, 128, 2)), []
        with (
            mock.patch.object(os, "sched_getaffinity", lambda _thread: machine),
            mock.patch.object(os, "sched_setaffinity", lambda _thread, chosen: asked.append(chosen)),
        ):
            for allowed in (1, 16, 63):
                with mock.patch.dict(os.environ, {cores.VARIABLE: str(allowed)}), cores.kept_to_cores():
                    self.assertEqual((len(asked[-1]), asked[-1] <= machine), (allowed, True))
                self.assertEqual(asked.pop(), machine)
                asked.clear()
            for allowed in ("64", "512", "0", "", "many", "-3", "²"):
                with mock.patch.dict(os.environ, {cores.VARIABLE: allowed}), cores.kept_to_cores():
                    self.assertEqual(cores.count(), 64)
        self.assertEqual(asked, [], "as many as there are is no restriction")

    def test_a_sandbox_that_forbids_it_is_no_failure(self) -> None:
        with (
            mock.patch.dict(os.environ, {cores.VARIABLE: "1"}),
            mock.patch.object(os, "sched_getaffinity", lambda _thread: {0, 1, 2}),
            mock.patch.object(os, "sched_setaffinity", side_effect=PermissionError),
            cores.kept_to_cores(),
        ):
            self.assertEqual(cores.count(), 1)

    def test_the_random_numbers_of_a_job_are_not_touched(self) -> None:
        code = (
            "import random; from trellis_worker import cores; random.seed(1)\n"
            "with cores.kept_to_cores(): print(random.random())"
        )
        drawn = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={"PYTHONPATH": str(ROOT / "worker"), cores.VARIABLE: allowed},
                capture_output=True,
                check=True,
            ).stdout
            for allowed in ("1", "1024")
        }
        self.assertEqual(len(drawn), 1)


if __name__ == "__main__":
    unittest.main()
