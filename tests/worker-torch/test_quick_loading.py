"""Models that are built without random weights against models that are built as ever."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from typing import Any

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.failures import kind_of
from trellis_worker.loading import complete, read_ahead, without_random_weights
from trellis_worker.protocol import Kind


class Model(torch.nn.Module):
    """What TRELLIS's models have: halves, a parameter of their own, buffers, a table that is neither."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, 8)
        self.norm = torch.nn.LayerNorm(8)
        self.block = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Conv1d(8, 8, 1))
        self.gamma = torch.nn.Parameter(torch.ones(8))
        self.register_buffer("places", torch.arange(8.0))
        self.register_buffer("unsaved", torch.arange(8.0) * 2, persistent=False)
        self.table = 1 / (10 + torch.arange(8.0))
        torch.nn.init.xavier_uniform_(self.first.weight)
        torch.nn.init.constant_(self.block[0].bias, 0)
        self.block.half()

    def forward(self, x: Any) -> Any:
        h = self.norm(self.first(x)) * self.gamma + self.places + self.unsaved * self.table
        return self.block[0].float()(h)


class QuickLoading(unittest.TestCase):
    def state(self, dtype: Any = torch.float32) -> dict[str, Any]:
        torch.manual_seed(1)
        return {name: torch.randn(tensor.shape).to(dtype) for name, tensor in Model().state_dict().items()}

    def test_the_model_is_the_same(self) -> None:
        for dtype in (torch.float32, torch.float16):
            state = self.state(dtype)
            reference = Model()
            reference.load_state_dict(state)
            with without_random_weights():
                model = Model()
                self.assertTrue(model.first.weight.is_meta)
                model.load_state_dict(state)
            complete(model, "model")
            for name, tensor in reference.state_dict().items():
                mine = model.state_dict()[name]
                self.assertEqual((mine.dtype, mine.device), (tensor.dtype, tensor.device), name)
                self.assertTrue(torch.equal(mine, tensor), name)
            x = torch.randn(3, 4)
            self.assertTrue(torch.equal(model(x), reference(x)))

    def test_keys_that_are_missing_or_left_over_and_wrong_shapes_are_named(self) -> None:
        for change in ({"gamma": None}, {"extra": torch.ones(1)}, {"norm.bias": torch.ones(9)}):
            state = {**self.state(), **change}
            state = {name: tensor for name, tensor in state.items() if tensor is not None}
            with without_random_weights(), self.assertRaises(RuntimeError) as raised:
                Model().load_state_dict(state)
            self.assertIn(next(iter(change)), str(raised.exception))
            self.assertIs(kind_of(raised.exception), Kind.CHECKPOINT_CORRUPT)

    def test_a_model_that_was_not_loaded_is_named(self) -> None:
        with without_random_weights():
            model = Model()
        with self.assertRaises(RuntimeError) as raised:
            complete(model, "a model")
        self.assertIn("`a model`: no value for gamma", str(raised.exception))
        self.assertIs(kind_of(raised.exception), Kind.CHECKPOINT_CORRUPT)

    def test_other_models_are_built_as_ever_afterwards(self) -> None:
        with self.assertRaises(ZeroDivisionError), without_random_weights():
            raise ZeroDivisionError
        model = Model()
        self.assertFalse(model.first.weight.is_meta)
        before = model.first.weight
        model.load_state_dict(self.state())
        self.assertIs(model.first.weight, before)

    def test_reading_ahead_leaves_missing_files_to_others(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            there = Path(folder) / "there"
            there.write_bytes(b"x" * 5000)
            read_ahead([Path(folder) / "nowhere", there])
            self.assertEqual(there.read_bytes(), b"x" * 5000)


if __name__ == "__main__":
    unittest.main()
