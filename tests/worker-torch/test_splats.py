"""Splats written at once, against a writer that makes a Python object for each number, as TRELLIS's does."""

from __future__ import annotations

import tempfile
import unittest
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy
import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker import splats
from trellis_worker.families import trellis1
from trellis_worker.protocol import Stage
from trellis_worker.quality import Quality


def _to_matrix(quaternions: Any) -> Any:
    w, x, y, z = (quaternions / numpy.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return numpy.stack([numpy.stack(row, -1) for row in rows], -2)


def _to_quaternion(matrices: Any) -> Any:
    w = numpy.sqrt(numpy.maximum(0, 1 + matrices.trace(axis1=1, axis2=2))) / 2
    across = [matrices[:, 2, 1] - matrices[:, 1, 2], matrices[:, 0, 2] - matrices[:, 2, 0]]
    across.append(matrices[:, 1, 0] - matrices[:, 0, 1])
    return numpy.stack([w, *(part / (4 * w + 1e-9) for part in across)], -1)


# What the module of TRELLIS's class holds, by the same names.
utils3d = SimpleNamespace(
    numpy=SimpleNamespace(quaternion_to_matrix=_to_matrix, matrix_to_quaternion=_to_quaternion)
)


def inverse_sigmoid(x: Any) -> Any:
    return torch.log(x / (1 - x))


class Gaussian:
    """Some splats, and a writer of theirs that takes them one by one."""

    def __init__(self, count: int) -> None:
        generator = torch.Generator().manual_seed(4)
        self.get_xyz = torch.rand(count, 3, generator=generator) - 0.5
        self._features_dc = torch.randn(count, 1, 3, generator=generator)
        self.get_opacity = torch.rand(count, 1, generator=generator) * 0.98 + 0.01
        self.get_scaling = torch.rand(count, 3, generator=generator) * 0.01 + 1e-4
        self._rotation = torch.randn(count, 4, generator=generator) * 0.3
        self.rots_bias = torch.tensor([1.0, 0, 0, 0])
        self.written = 0

    def construct_list_of_attributes(self) -> list[str]:
        names = ["x", "y", "z", "nx", "ny", "nz", *(f"f_dc_{k}" for k in range(3)), "opacity"]
        return [*names, *(f"scale_{k}" for k in range(3)), *(f"rot_{k}" for k in range(4))]

    def save_ply(self, path: str) -> None:
        from plyfile import PlyData, PlyElement

        self.written += 1
        turn = numpy.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
        places = self.get_xyz.numpy()
        rotation = turn @ _to_matrix((self._rotation + self.rots_bias).numpy())
        columns = [
            places @ turn.T,
            numpy.zeros_like(places),
            self._features_dc.transpose(1, 2).flatten(start_dim=1).numpy(),
            inverse_sigmoid(self.get_opacity).numpy(),
            self.get_scaling.log().numpy(),
            _to_quaternion(rotation),
        ]
        rows = numpy.empty(len(places), dtype=[(name, "f4") for name in self.construct_list_of_attributes()])
        rows[:] = [tuple(row) for row in numpy.concatenate(columns, axis=1)]
        PlyData([PlyElement.describe(rows, "vertex")]).write(path)


@unittest.skipUnless(find_spec("plyfile"), "plyfile is not installed")
class Written(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="trellis-splats-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_the_same_bytes(self) -> None:
        for count in (0, 1, 3000):
            some = Gaussian(count)
            some.save_ply(str(self.folder / "theirs.ply"))
            splats.save(some, self.folder / "ours.ply")
            self.assertEqual(
                (self.folder / "ours.ply").read_bytes(), (self.folder / "theirs.ply").read_bytes(), count
            )

    def test_splats_of_another_form_are_left_to_their_own_writer(self) -> None:
        some = Gaussian(2)
        names = [*some.construct_list_of_attributes(), "more"]
        with mock.patch.object(some, "construct_list_of_attributes", lambda: names):
            with self.assertRaises(ValueError):
                splats.save(some, self.folder / "ours.ply")
        self.assertEqual(some.written, 1)

    def test_exact_is_trellis_own_writer(self) -> None:
        for quality, calls in (("exact", 1), ("balanced", 0)):
            some = Gaussian(5)
            stages = SimpleNamespace(enter=lambda stage: self.assertIs(stage, Stage.EXPORT))
            exports = trellis1.Exports(
                SimpleNamespace(stages=stages, params=None), {"gaussian": [some]}, None
            )
            with mock.patch.object(trellis1, "quality_of", lambda _params, it=quality: Quality(it)):
                exports.prepare(trellis1.Format.GAUSSIAN_PLY)(self.folder / "model.ply")
            self.assertEqual(some.written, calls, quality)


if __name__ == "__main__":
    unittest.main()
