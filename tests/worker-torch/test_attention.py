"""Which library attends, by libraries that are right, wrong, broken or slow."""

from __future__ import annotations

import importlib
import importlib.util
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
from trellis_worker import attention, varlen

LENGTHS = (5, 3)
MODEL = "trellis-image-large"


def setUpModule() -> None:
    """What torch imports at the first call must not go again with the stand-ins."""
    with torch.no_grad():
        attention._torch(*torch.randn(3, sum(LENGTHS), 2, 8).unbind(), LENGTHS)


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


def missing(*_asked: Any) -> Any:
    """A torch without kernels for several lengths."""
    raise RuntimeError("no kernel is available")


class Trial(unittest.TestCase):
    own = staticmethod(missing)

    def settled(self, modules: dict[str, Any], **variables: str) -> tuple[list[str], dict[str, str]]:
        """What is said, and the variables afterwards."""
        without: dict[str, Any] = {"xformers": None, "xformers.ops": None, "flash_attn": None}
        # As on a GPU, with tensors on the processor.
        asked = attention._asked
        device = SimpleNamespace(type="cuda")
        with (
            mock.patch.dict(sys.modules, {**without, **modules}),
            mock.patch.dict(os.environ, variables),
            mock.patch.object(attention, "_asked", lambda it, _device, *rest: asked(it, "cpu", *rest)),
            mock.patch.dict(attention.LIBRARIES, {attention.TORCH: self.own}),
        ):
            for name in (attention.VARIABLE, attention.SPARSE_VARIABLE):
                if name not in variables:
                    os.environ.pop(name, None)
            said = attention.settle(torch, device, MODEL, LENGTHS)
            names = (attention.VARIABLE, attention.SPARSE_VARIABLE)
            return said, {name: os.environ[name] for name in names if name in os.environ}


class Settled(Trial):
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


class Chosen(Trial):
    """What torch itself can do, and which library is taken where the fastest is asked for."""

    fastest = mock.patch.dict(os.environ, {attention.CHOICE_VARIABLE: attention.FASTEST})

    own = staticmethod(attention._torch)

    def at(self, modules: dict[str, Any], **times: float) -> tuple[list[str], dict[str, str]]:
        """What is said and set where the libraries take so many milliseconds."""
        measured = attention._measured

        def timed(it: Any, attend: Any, *asked: Any) -> attention.Answer:
            [name] = [name for name, own in attention.LIBRARIES.items() if own is attend]
            return attention.Answer(times[name], measured(it, attend, *asked).off)

        with mock.patch.object(attention, "_measured", timed):
            return self.settled(modules, ATTN_BACKEND="xformers")

    def test_where_none_works_torch_attends_under_the_name_of_one(self) -> None:
        with self.assertLogs("trellis_worker.attention", "WARNING"):
            said, variables = self.at({}, torch=20)
        self.assertEqual(variables, {"ATTN_BACKEND": "sdpa", "SPARSE_ATTN_BACKEND": "flash_attn"})
        self.assertRegex(said[0], r"attention: torch, 20.00 ms")

    def test_torch_by_its_name_is_what_trellis_knows_by_another(self) -> None:
        for sparse in ({}, {"SPARSE_ATTN_BACKEND": "torch"}):
            with mock.patch.object(varlen, "install", wraps=varlen.install) as installed:
                said, variables = self.settled({**xformers()}, ATTN_BACKEND="torch", **sparse)
            self.assertEqual(variables, {"ATTN_BACKEND": "sdpa", "SPARSE_ATTN_BACKEND": "flash_attn"})
            installed.assert_called_once_with()
            self.assertIn("attention: torch", said[0])

    def test_the_fastest_takes_the_place_of_the_named_one(self) -> None:
        both = {**xformers(), "flash_attn": flash()}
        with self.fastest:
            said, variables = self.at(both, xformers=30, torch=10, flash_attn=20)
            self.assertEqual(variables, {"ATTN_BACKEND": "sdpa", "SPARSE_ATTN_BACKEND": "flash_attn"})
            self.assertEqual(said[1], "attention by others: xformers 30.00 ms, flash_attn 20.00 ms")
            said, variables = self.at(both, xformers=30, torch=20, flash_attn=10)
            self.assertEqual(variables, {"ATTN_BACKEND": "flash_attn", "SPARSE_ATTN_BACKEND": "flash_attn"})
        _, variables = self.at(both, xformers=30, torch=10, flash_attn=10)
        self.assertEqual(variables, {"ATTN_BACKEND": "xformers"}, "it was not asked for")

    def test_one_that_is_wrong_is_not_taken_however_fast(self) -> None:
        with self.fastest, self.assertLogs("trellis_worker.attention", "WARNING"):
            modules = {**xformers(), "flash_attn": flash(scale=1.5)}
            _, variables = self.at(modules, xformers=30, torch=60, flash_attn=1)
        self.assertEqual(variables, {"ATTN_BACKEND": "xformers"})

    def test_a_little_faster_is_not_clearly_faster(self) -> None:
        for other, chosen in ((9.6, "xformers"), (9.5, "xformers"), (9.4, "torch"), (20.0, "xformers")):
            answers = {"xformers": attention.Answer(10, 0), "torch": attention.Answer(other, 0)}
            self.assertEqual(attention.choice(answers, "xformers"), chosen)
        self.assertEqual(attention.choice({"torch": attention.Answer(1, 0)}, "xformers"), "torch")
        self.assertEqual(attention.choice(answers, None), "xformers")

    def test_torch_answers_as_flash_attn_does(self) -> None:
        torch.manual_seed(1)
        stand_in = varlen.module()
        of_queries, of_keys = [5, 3, 9], [4, 7, 2]
        q, k = torch.randn(17, 2, 8), torch.randn(13, 2, 8)
        v = torch.randn(13, 2, 8)
        starts = [torch.tensor([0, *lengths]).cumsum(0).int() for lengths in (of_queries, of_keys)]
        parts = zip(q.split(of_queries), k.split(of_keys), v.split(of_keys), strict=True)
        right = torch.cat([attention._own(torch, *part) for part in parts])
        kv, named = torch.stack([k, v], 1), dict(zip(varlen.LENGTHS, (*starts, 9, 7), strict=True))
        with torch.no_grad():
            for answer in (
                stand_in.flash_attn_varlen_func(q, k, v, *starts, 9, 7),
                stand_in.flash_attn_varlen_kvpacked_func(q, kv, *starts, 9, 7),
                stand_in.flash_attn_varlen_kvpacked_func(q, kv, **named),
            ):
                self.assertLess(float((answer - right).abs().max()), 1e-5)
            one = torch.stack([q, q + 1, q - 1], 1)
            of_one = [attention._own(torch, *part.unbind(1)) for part in one.split(of_queries)]
            answer = stand_in.flash_attn_varlen_qkvpacked_func(one, starts[0], 9)
            self.assertLess(float((answer - torch.cat(of_one)).abs().max()), 1e-5)
            equals = stand_in.flash_attn_qkvpacked_func(one[:16].view(2, 8, 3, 2, 8))
            of_one = [attention._own(torch, *part.unbind(1)) for part in one[:16].split(8)]
            self.assertLess(float((equals - torch.stack(of_one)).abs().max()), 1e-5)

    def test_the_newer_interface_is_taken_where_torch_has_it(self) -> None:
        newer = types.ModuleType("torch.nn.attention.varlen")
        newer.varlen_attn = lambda *asked: asked  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {newer.__name__: newer}):
            self.assertEqual(varlen.attend(*range(7)), tuple(range(7)))

    def test_others_see_no_installed_distribution(self) -> None:
        with mock.patch.dict(sys.modules, {"flash_attn": None}):
            varlen.install()
            self.assertIsNotNone(importlib.util.find_spec("flash_attn"))
            self.assertTrue(hasattr(importlib.import_module("flash_attn"), "flash_attn_varlen_func"))


if __name__ == "__main__":
    unittest.main()
