"""A recorded flow against the flow itself. In place of the GPU's recording stands one that runs the same work
again, on the same memory: what is not in that memory when it plays is not seen, as on the GPU."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.graphs import SHAPES, Graphs
from trellis_worker.guidance import OneBatch, remembering


class Embedder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = torch.nn.Linear(1, 8)
        self.calls = 0

    def forward(self, t: Any) -> Any:
        self.calls += 1
        return self.mlp(torch.sin(t[:, None] / 300))


class Flow(torch.nn.Module):
    """Mixes all of its inputs, in the form of TRELLIS's."""

    dtype = torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.t_embedder = Embedder()
        self.to_kv = torch.nn.Linear(8, 16)
        self.block = torch.nn.Module()
        self.block.to_kv = torch.nn.Linear(8, 16)
        self.calls = 0

    def forward(self, x: Any, t: Any, cond: Any) -> Any:
        self.calls += 1
        keys, values = self.block.to_kv(cond).chunk(2, -1)
        h = x + self.t_embedder(t)[:, None]
        return torch.nn.functional.scaled_dot_product_attention(h, keys, values)


class Recorder:
    """Plays by running the work again, with the embedder as it was while it was recorded."""

    def __init__(self, model: Any) -> None:
        self.model, self.made, self.played = model, 0, 0

    def __call__(self, work: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        self.made += 1
        embed = self.model.t_embedder.forward
        result = work().clone()

        def play() -> None:
            self.played += 1
            self.model.t_embedder.forward = embed
            try:
                result.copy_(work())
            finally:
                del self.model.t_embedder.forward

        return result, play


class Recorded(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(1)
        self.model = Flow()
        self.recorder = Recorder(self.model)
        self.flow = Graphs(self.model, self.recorder)

    def asked(self, rows: int = 2, time: float = 500.0) -> tuple[Any, Any]:
        x, cond = torch.randn(rows, 7, 8), torch.randn(rows, 5, 8)
        t = torch.full((rows,), time)
        with torch.no_grad():
            return self.flow(x, t, cond), self.model(x, t, cond)

    def test_every_answer_is_the_flows_own(self) -> None:
        for call in range(6):
            for rows in (2, 1):
                mine, theirs = self.asked(rows, 1000.0 - 100 * call)
                self.assertTrue(torch.equal(mine, theirs))
        # Once more each, to be compared with the flow's own answer.
        self.assertEqual((self.recorder.made, self.recorder.played), (2, 10 + 2))

    def test_an_answer_outlives_the_next(self) -> None:
        for _ in range(3):
            mine, theirs = self.asked()
        self.asked()
        self.assertTrue(torch.equal(mine, theirs))

    def test_weights_that_moved_are_recorded_again(self) -> None:
        for _ in range(3):
            self.asked()
        self.model.load_state_dict({k: v + 1 for k, v in self.model.state_dict().items()}, assign=True)
        for _ in range(3):
            mine, theirs = self.asked()
            self.assertTrue(torch.equal(mine, theirs))
        self.assertEqual(self.recorder.made, 2)

    def test_few_shapes_are_recorded(self) -> None:
        for rows in range(1, SHAPES + 4):
            for _ in range(3):
                mine, theirs = self.asked(rows)
                self.assertTrue(torch.equal(mine, theirs))
        self.assertEqual(self.recorder.made, SHAPES)

    def test_what_cannot_be_recorded_works_as_before(self) -> None:
        tried = []

        def fails(_work: Callable[[], Any]) -> Any:
            tried.append(1)
            raise torch.OutOfMemoryError("too little")

        self.flow = Graphs(self.model, fails)
        with self.assertLogs("trellis_worker.graphs", "WARNING"):
            for _ in range(4):
                mine, theirs = self.asked()
                self.assertTrue(torch.equal(mine, theirs))
        self.assertEqual(len(tried), 1)
        self.assertNotIn("forward", vars(self.model.t_embedder))

    def test_what_plays_another_answer_is_not_recorded(self) -> None:
        for wrong in (1.1, float("nan")):
            recorder = Recorder(self.model)

            def record(work: Callable[[], Any], wrong: float = wrong, recorder: Any = recorder) -> Any:
                answer, play = recorder(work)

                def spoiled() -> None:
                    play()
                    answer.mul_(wrong)

                return answer, spoiled

            self.flow = Graphs(self.model, record)
            with self.assertLogs("trellis_worker.graphs", "WARNING") as logged:
                for _ in range(4):
                    mine, theirs = self.asked()
                    self.assertTrue(torch.equal(mine, theirs))
            self.assertEqual((recorder.made, recorder.played), (1, 1))
            self.assertIn("what is played is not the same", logged.output[0])

    def test_another_job_has_another_condition(self) -> None:
        def job(seed: int, flow: Any) -> Any:
            generator = torch.Generator().manual_seed(seed)
            cond = torch.randn(1, 5, 8, generator=generator)
            sample = torch.randn(1, 7, 8, generator=generator)
            once = OneBatch(lambda *_args, **_options: None, list, flow)
            with torch.no_grad(), remembering(self.model):
                for step in range(6):
                    options = {
                        "neg_cond": torch.zeros_like(cond),
                        "cfg_strength": 3.0,
                        "cfg_interval": (0.5, 1),
                    }
                    sample = sample - once(self.model, sample, 1 - step / 6, cond=cond, **options) / 6
            return sample

        for seed in (1, 2, 3):
            self.assertTrue(torch.equal(job(seed, self.flow), job(seed, None)))
        self.assertGreater(self.recorder.played, 10)


if __name__ == "__main__":
    unittest.main()
