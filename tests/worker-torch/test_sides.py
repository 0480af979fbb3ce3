"""Which side of a face is seen, of meshes whose decoder knows no sides."""

from __future__ import annotations

import unittest
from typing import Any

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.families.trellis2_files import outwards

VERTICES = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
# Of a tetrahedron, seen from outside.
OUTWARDS = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


class Held:
    """A tetrahedron as CuMesh holds it: one face looks the other way until all are to look to one side."""

    def __init__(self, inwards: bool) -> None:
        self.inwards = inwards
        self.faces = OUTWARDS.clone()
        self.faces[2] = self.faces[2].flip(0)

    def unify_face_orientations(self) -> None:
        self.faces = OUTWARDS.flip(1) if self.inwards else OUTWARDS

    def read(self) -> tuple[Any, Any]:
        return VERTICES, self.faces.int()


def around(faces: Any) -> list[list[int]]:
    """The faces, each from its least vertex on."""
    return sorted(face[at:] + face[:at] for face in faces.tolist() for at in [face.index(min(face))])


class Sides(unittest.TestCase):
    def test_all_faces_look_outwards(self) -> None:
        for inwards in (False, True):
            vertices, faces = outwards(Held(inwards))
            self.assertEqual(around(faces), around(OUTWARDS), inwards)
            self.assertEqual(len(vertices), len(VERTICES))


if __name__ == "__main__":
    unittest.main()
