"""Repeatable torch, and the kinds of real exceptions."""

from __future__ import annotations

import functools
import random
import unittest

import numpy
import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from safetensors import SafetensorError
from trellis_worker import determinism
from trellis_worker.failures import kind_of
from trellis_worker.protocol import Kind


class Determinism(unittest.TestCase):
    def test_what_is_said_to_be_set_is_set(self) -> None:
        determinism.before_torch()
        said = determinism.settings(torch)
        for line in said:
            if line.startswith("torch.backends"):
                name, _, value = line.partition(" = ")
                found = functools.reduce(getattr, name.split(".")[1:], torch)
                self.assertEqual(str(found), value)
        self.assertIn("torch.use_deterministic_algorithms(True, warn_only=True)", said)
        self.assertTrue(torch.are_deterministic_algorithms_enabled())
        self.assertTrue(torch.is_deterministic_algorithms_warn_only_enabled())
        self.assertIn("CUBLAS_WORKSPACE_CONFIG=:4096:8", said)

    def test_a_seed_covers_torch_numpy_and_random(self) -> None:
        def drawn(seed: int) -> tuple[list[float], list[float], float]:
            determinism.seed_all(torch, seed)
            return torch.randn(4).tolist(), numpy.random.rand(4).tolist(), random.random()

        first = drawn(2**32 - 1)
        self.assertEqual(drawn(2**32 - 1), first)
        other = drawn(1)
        for mine, theirs in zip(first, other, strict=True):
            self.assertNotEqual(mine, theirs)


class Kinds(unittest.TestCase):
    def test_of_torch_and_safetensors(self) -> None:
        model = torch.nn.Linear(2, 2)
        with self.assertRaises(RuntimeError) as wrong_key:
            model.load_state_dict({})
        self.assertIs(kind_of(wrong_key.exception), Kind.CHECKPOINT_CORRUPT)
        self.assertIs(torch.OutOfMemoryError, torch.cuda.OutOfMemoryError)
        self.assertIs(kind_of(torch.OutOfMemoryError("")), Kind.GPU_OUT_OF_MEMORY)
        self.assertIs(kind_of(SafetensorError("")), Kind.CHECKPOINT_CORRUPT)

    @unittest.skipIf(torch.cuda.is_available(), "a GPU is here")
    def test_of_a_machine_without_a_driver(self) -> None:
        with self.assertRaises(Exception) as missing:
            torch.cuda.init()
        self.assertIs(kind_of(missing.exception), Kind.DRIVER_MISSING)
