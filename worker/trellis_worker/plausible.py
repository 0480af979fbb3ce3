"""Refuses a mesh that cannot be meant, before minutes are spent on its texture.

A decoder that was loaded wrongly, or overflowed, makes dust: thousands of specks, none of them large.
"""

from __future__ import annotations

import importlib
from typing import Any

from .facts import is_stand_in
from .failures import WorkerError
from .protocol import Kind

MOST_PIECES = 1000
# The share of the faces that the largest piece has at least.
LARGEST = 0.05


def refuse_implausible(vertices: Any, faces: Any) -> None:
    """Raises for tensors of vertices (N, 3) and faces (M, 3) that are empty, not finite, or dust."""
    if not len(vertices) or not len(faces):
        raise _implausible("an empty mesh")
    if is_stand_in():
        return
    numpy = importlib.import_module("numpy")
    points = numpy.asarray(vertices.detach().cpu().numpy())
    if not numpy.isfinite(points).all():
        raise _implausible("a mesh with coordinates that are no numbers")
    sizes = pieces(numpy.asarray(faces.detach().cpu().numpy()), len(points))
    largest = sizes.max() / len(faces)
    if len(sizes) > MOST_PIECES or largest < LARGEST:
        raise _implausible(f"a mesh of {len(sizes)} pieces, the largest with {largest:.1%} of the faces")


def refuse_unknown_colours(numbers: Any) -> None:
    """Raises for colours and materials of voxels (N, C) that are not finite, which would come out black."""
    if is_stand_in():
        return
    if not bool(importlib.import_module("torch").isfinite(numbers).all()):
        raise _implausible("a texture with values that are not numbers")


def pieces(faces: Any, count: int) -> Any:
    """How many faces each connected piece of a mesh has; `count` is that of its vertices."""
    numpy = importlib.import_module("numpy")
    sparse = importlib.import_module("scipy.sparse")
    graphs = importlib.import_module("scipy.sparse.csgraph")
    first, second = numpy.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]]).T
    edges = sparse.coo_matrix((numpy.ones(len(first), "int8"), (first, second)), shape=(count, count))
    _, labels = graphs.connected_components(edges, directed=False)
    _, sizes = numpy.unique(labels[faces[:, 0]], return_counts=True)
    return sizes


def _implausible(what: str) -> WorkerError:
    return WorkerError(Kind.IMPLAUSIBLE_RESULT, f"the model made {what}")
