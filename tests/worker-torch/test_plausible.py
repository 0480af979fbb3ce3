"""Which meshes are taken for results."""

from __future__ import annotations

import sys
import unittest
from unittest import mock

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.failures import WorkerError
from trellis_worker.plausible import pieces, refuse_implausible, refuse_unknown_colours
from trellis_worker.protocol import Kind

FACES = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def tetrahedra(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """So many of them, none of which touches another."""
    faces = FACES[None] + 4 * torch.arange(count)[:, None, None]
    return torch.rand(4 * count, 3), faces.reshape(-1, 3)


def strip(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One piece of so many triangles."""
    first = torch.arange(count)
    return torch.rand(count + 2, 3), torch.stack((first, first + 1, first + 2), 1)


def both(
    one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    return torch.cat([one[0], other[0]]), torch.cat([one[1], other[1] + len(one[0])])


class Plausible(unittest.TestCase):
    def refused(self, vertices: torch.Tensor, faces: torch.Tensor) -> str:
        with self.assertRaises(WorkerError) as raised:
            refuse_implausible(vertices, faces)
        self.assertEqual(raised.exception.kind, Kind.IMPLAUSIBLE_RESULT)
        return str(raised.exception)

    def test_pieces_are_counted_by_their_faces(self) -> None:
        vertices, faces = both(tetrahedra(3), strip(50))
        shuffled = faces[torch.randperm(len(faces))]
        self.assertEqual(sorted(pieces(shuffled.numpy(), len(vertices)).tolist()), [4, 4, 4, 50])

    def test_one_object_with_specks_is_a_result(self) -> None:
        refuse_implausible(*strip(10))
        refuse_implausible(*both(strip(10_000), tetrahedra(999)))

    def test_dust_is_none(self) -> None:
        self.assertIn("1001 pieces", self.refused(*both(strip(100_000), tetrahedra(1000))))
        # Few enough, but none of them is an object.
        self.assertIn("with 2.5% of the faces", self.refused(*tetrahedra(40)))

    def test_nothing_and_what_is_no_number_are_none(self) -> None:
        vertices, faces = strip(10)
        self.assertIn("empty", self.refused(vertices, faces[:0]))
        self.assertIn("empty", self.refused(vertices[:0], faces))
        for number in (float("nan"), float("inf")):
            broken = vertices.clone()
            broken[3, 1] = number
            self.assertIn("no numbers", self.refused(broken, faces))

    def test_a_broken_numpy_is_no_reason_to_let_it_pass(self) -> None:
        with mock.patch.dict(sys.modules, {"numpy": None}):
            with self.assertRaises(ImportError):
                refuse_implausible(*strip(10))
            with self.assertRaises(WorkerError):
                refuse_unknown_colours(torch.full((3, 6), float("nan")))

    def test_colours_that_are_no_numbers_are_none(self) -> None:
        colours = torch.rand(50, 6)
        refuse_unknown_colours(colours)
        for value in (float("nan"), float("inf")):
            colours[7, 2] = value
            with self.assertRaises(WorkerError) as raised:
                refuse_unknown_colours(colours.half())
            self.assertEqual(raised.exception.kind, Kind.IMPLAUSIBLE_RESULT)


if __name__ == "__main__":
    unittest.main()
