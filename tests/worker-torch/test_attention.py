"""Which library attends, by libraries that are right, wrong, broken or slow."""

from __future__ import annotations

import os
import sys
import time
import types
import unittest
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker import attention

LENGTHS = (5, 3)
MODEL = "trellis-image-large"


def flash(scale: float = 1, seconds: float = 0) -> types.ModuleType:
    """A flash-attn whose answers are the right ones, times `scale`, after a while."""

    def varlen(q: Any, k: Any, v: Any, ends: Any, _k_ends: Any, most: int, _k_most: int) -> Any:
        time.sleep(seconds)
        lengths = (ends[1:] - ends[:-1]).tolist()
        assert most == max(lengths)
        parts = zip(*(part.float().split(lengths) for part in (q, k, v)), strict=True)
        return torch.cat([attention._own(torch, *part) for part in parts]).to(q.dtype) * scale

    module = types.ModuleType("flash_attn")
    module.flash_attn_varlen_func = varlen  # type: ignore[attr-defined]
    return module


def xformers(scale: float = 1, seconds: float = 0) -> dict[str, Any]:
    """An xformers that attends by the other stand-in."""

    def attend(q: Any, k: Any, v: Any, mask: list[int]) -> Any:
        ends = torch.tensor([0, *mask]).cumsum(0)
        varlen = flash(scale, seconds).flash_attn_varlen_func
        return varlen(q[0], k[0], v[0], ends, ends, max(mask), max(mask))[None]

    ops = types.ModuleType("xformers.ops")
    ops.memory_efficient_attention = attend  # type: ignore[attr-defined]
    mask = SimpleNamespace(from_seqlens=lambda lengths: lengths)
    ops.fmha = SimpleNamespace(BlockDiagonalMask=mask)  # type: ignore[attr-defined]
    return {"xformers": types.ModuleType("xformers"), "xformers.ops": ops}


class Settled(unittest.TestCase):
    def settled(self, modules: dict[str, Any], **variables: str) -> tuple[list[str], dict[str, str]]:
        """What is said, and the variables afterwards."""
        missing: dict[str, Any] = {"xformers": None, "xformers.ops": None, "flash_attn": None}
        # As on a GPU, with tensors on the processor.
        asked = attention._asked
        device = SimpleNamespace(type="cuda")
        with (
            mock.patch.dict(sys.modules, {**missing, **modules}),
            mock.patch.dict(os.environ, variables),
            mock.patch.object(attention, "_asked", lambda it, _device, *rest: asked(it, "cpu", *rest)),
        ):
            for name in (attention.VARIABLE, attention.SPARSE_VARIABLE):
                if name not in variables:
                    os.environ.pop(name, None)
            said = attention.settle(torch, device, MODEL, LENGTHS)
            names = (attention.VARIABLE, attention.SPARSE_VARIABLE)
            return said, {name: os.environ[name] for name in names if name in os.environ}

    def test_the_named_one_stays_even_if_another_is_faster(self) -> None:
        said, variables = self.settled(
            {**xformers(seconds=0.01), "flash_attn": flash()}, ATTN_BACKEND="xformers"
        )
        self.assertEqual(variables["ATTN_BACKEND"], "xformers")
        self.assertRegex(said[0], r"attention: xformers, \d+\.\d\d ms, .* from torch's own")

    def test_where_none_is_named_it_is_the_fastest_that_is_right(self) -> None:
        for fast, slow in (("xformers", "flash_attn"), ("flash_attn", "xformers")):
            wait = {fast: 0.0, slow: 0.03}
            modules = {**xformers(1, wait["xformers"]), "flash_attn": flash(1, wait["flash_attn"])}
            _, variables = self.settled(modules)
            self.assertEqual(variables, {"ATTN_BACKEND": fast, "SPARSE_ATTN_BACKEND": fast})
        modules = {**xformers(scale=1.5), "flash_attn": flash(1, 0.03)}
        with self.assertLogs("trellis_worker.attention", "WARNING") as logged:
            _, variables = self.settled(modules)
        self.assertEqual(variables["ATTN_BACKEND"], "flash_attn")
        self.assertIn("`xformers` attends wrongly here", logged.output[0])

    def test_one_that_fails_is_replaced_and_that_is_said(self) -> None:
        for modules in ({"flash_attn": flash()}, {**xformers(float("nan")), "flash_attn": flash()}):
            with self.assertLogs("trellis_worker.attention", "WARNING"):
                said, variables = self.settled(modules, ATTN_BACKEND="xformers")
            self.assertEqual(variables, {"ATTN_BACKEND": "flash_attn", "SPARSE_ATTN_BACKEND": "flash_attn"})
            self.assertIn("flash_attn", said[0])

    def test_where_none_works_nothing_changes(self) -> None:
        with self.assertLogs("trellis_worker.attention", "WARNING") as logged:
            said, variables = self.settled({}, ATTN_BACKEND="xformers")
        self.assertEqual((said, variables), ([], {"ATTN_BACKEND": "xformers"}))
        self.assertIn("no library for attention works", logged.output[-1])

    def test_a_choice_that_is_not_ours_stays(self) -> None:
        given = {"ATTN_BACKEND": "sdpa", "SPARSE_ATTN_BACKEND": "flash_attn_3"}
        self.assertEqual(self.settled({"flash_attn": flash()}, **given), ([], given))
        given = {"ATTN_BACKEND": "sdpa", "SPARSE_ATTN_BACKEND": "flash_attn"}
        _, variables = self.settled({"flash_attn": flash()}, **given)
        self.assertEqual(variables, given)

    def test_a_trial_that_cannot_be_made_keeps_nothing_from_loading(self) -> None:
        with (
            mock.patch.object(attention, "_asked", side_effect=RuntimeError("out of memory")),
            self.assertLogs("trellis_worker.attention", "WARNING") as logged,
        ):
            said = attention.settle(torch, SimpleNamespace(type="cuda"), MODEL)
        self.assertEqual(said, [])
        self.assertIn("out of memory", logged.output[0])

    def test_without_a_gpu_nothing_is_asked(self) -> None:
        self.assertEqual(attention.settle(torch, torch.device("cpu"), MODEL), [])


if __name__ == "__main__":
    unittest.main()
