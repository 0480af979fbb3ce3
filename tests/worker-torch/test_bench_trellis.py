"""Parts of the measurements on a GPU, on the processor: the jobs of a batch, the table, the time left."""

from __future__ import annotations

import contextlib
import io
import sys
import unittest
from typing import Any
from unittest import mock

import torch
from kit import ROOT
from test_latent_flow import CHANNELS, WIDE, Flow, dense
from trellis_worker.guidance import remembering
from trellis_worker.latent_flow import LatentFlow, Places

sys.path.append(str(ROOT / "tests" / "gpu"))

import batches
import budget
import table


class Places3(torch.nn.Module):
    """Embeds places, as TRELLIS's module does."""

    def forward(self, places: Any) -> Any:
        return torch.sin(places.float() @ torch.tensor([0.9, 0.5, 0.3])[:, None] * torch.arange(WIDE) * 0.1)


class Together(unittest.TestCase):
    def test_the_jobs_of_a_batch_do_not_see_each_other(self) -> None:
        torch.manual_seed(1)
        model = Flow()
        model.pos_embedder = Places3()
        grid = torch.stack(torch.meshgrid(*[torch.arange(7)] * 3, indexing="ij"), -1).view(-1, 3)
        jobs = [grid[torch.randperm(len(grid))[:count]] for count in (60, 35, 70)]
        feats = [torch.randn(len(own), 4) for own in jobs]
        conds = [torch.randn(2, 5, CHANNELS) for _ in jobs]
        t = torch.full((1,), 500.0)
        joined, alone = batches.Joined(model, dense, jobs), LatentFlow(model, dense)
        with torch.no_grad(), remembering(model), joined.as_one():
            joined.flow._places = Places.of(joined.voxels)
            together = joined.flow._answers(torch.cat(feats), t, torch.cat(conds, 1))
            for number, own in enumerate(jobs):
                alone._places = Places.of(own)
                apart = alone._answers(feats[number], t, conds[number])
                for row in range(2):
                    ours = together[row].split([len(each) for each in jobs])[number]
                    self.assertLess(float((ours - apart[row]).abs().max()), 1e-4)
                    self.assertGreater(float(ours.abs().max()), 0.1)

    def test_a_batch_is_compared_with_jobs_in_turns(self) -> None:
        asked: list[str] = []
        calls = (lambda number: asked.append(f"job {number}"), lambda: asked.append("all"))
        zero = dict.fromkeys(("memory_allocated", "max_memory_allocated"), lambda: 0)
        nothing = dict.fromkeys(("synchronize", "empty_cache", "reset_peak_memory_stats"), lambda: None)
        with (
            mock.patch.multiple(torch.cuda, **zero, **nothing),
            contextlib.redirect_stdout(io.StringIO()) as said,
        ):
            self.assertGreater(batches.compare("a flow", 2, calls, 3), 0)
        self.assertEqual(len(asked), batches.STEPS * (2 + 1) * (1 + 3))
        self.assertRegex(said.getvalue(), r"a flow \| one after the other [\d.]+ s, .* in one call [\d.]+ s")


class Table(unittest.TestCase):
    def test_its_rows_are_those_of_the_page_about_speed(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            made = table.Table()
            made.row("load", [18.0, 20.0, 19.0], [1.5, 1.6, 1.4])
            made.row("sampling and decoding", [3.5] * 5, [1.4] * 5)
            for stage, own in zip(table.SAMPLING, (0.0, 1.2, 2.1, 0.2), strict=True):
                made.row(f"{stage}, with graphs", [own] * 5, [own / 2] * 5)
                made.row(f"most memory in {stage}, with graphs", [4 + own], [3 + own], "GiB")
            made.row("sampling and decoding, with graphs", [3.5] * 5, [1.25] * 5)
            made.row("GLB in all", [15.5] * 3, [2.0] * 3)
        said = "\n".join(made.summary())
        for line in (
            "| load, from the page cache to the GPU | 19.000 s | 1.500 s | 12.67 | 3, 3 |",
            "| condition | 0.000 s | 0.000 s |  | 5, 5 |",
            "| structured latent | 2.100 s | 1.050 s | 2.00 | 5, 5 |",
            "| the same without CUDA graphs | 3.500 s | 1.400 s | 2.50 | 5, 5 |",
            "| both together: a picture to a GLB | 19.000 s | 3.250 s | 5.85 | 3, 3 |",
            "| most memory up to decoding, all models on the GPU | 6.10 GiB | 5.10 GiB |  | 1, 1 |",
        ):
            self.assertIn(line, said)
        self.assertNotIn("low-VRAM", said)


class Time(unittest.TestCase):
    def test_what_does_not_fit_is_left_out_and_said(self) -> None:
        left = budget.Budget(100, lambda: budget.BEGUN + 70)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual([left.allows("a part", needed) for needed in (30, 31)], [True, False])
        self.assertEqual(said.getvalue(), "left out: a part: 70 s of 100 s have passed\n")


if __name__ == "__main__":
    unittest.main()
