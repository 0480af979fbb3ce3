"""Leaves out the inner walls of a surface that CuMesh has rebuilt.

It rebuilds a surface at an even distance on both sides. Of a closed one that makes two walls: the outer one,
and one around the hollow inside, which nobody sees and which would take half of the triangles and of the
texture. Seen as a piece of its own, an inner wall is inside out: its volume is negative.
"""

from __future__ import annotations

import importlib
from typing import Any

torch: Any = importlib.import_module("torch")

# Faces in one go: what bounds the memory, some 300 bytes for each.
AT_ONCE = 1 << 22


def without_inner(vertices: Any, faces: Any) -> tuple[Any, Any]:
    """Vertices (V, 3) and faces (F, 3) without the pieces that are inside out. Where there are holes in the
    surface both walls are one piece, and stay."""
    piece = pieces(len(vertices), faces)
    volumes = torch.zeros(len(vertices), dtype=torch.float64, device=vertices.device)
    for some in faces.split(AT_ONCE):
        first, second, third = vertices[some.long()].double().unbind(1)
        of_faces = (torch.linalg.cross(first, second) * third).sum(1)
        volumes.index_add_(0, piece[some[:, 0].long()], of_faces)
    # Outside is where most of the volume is.
    inner = volumes < 0 if float(volumes.sum()) >= 0 else volumes > 0
    if not bool(inner.any()):
        return vertices, faces
    kept = ~inner[piece]
    number = kept.cumsum(0) - 1
    left = [number[some[kept[some[:, 0].long()]].long()].to(faces.dtype) for some in faces.split(AT_ONCE)]
    return vertices[kept].contiguous(), torch.cat(left)


def pieces(count: int, faces: Any) -> Any:
    """Which connected piece each of `count` vertices is in: the least vertex of it (V) int64."""
    first = torch.arange(count, device=faces.device)
    while True:
        before = first.clone()
        for some in faces.split(AT_ONCE):
            ends = first[some.long()]
            least = ends.amin(1, keepdim=True).expand(-1, 3)
            first.scatter_reduce_(0, ends.reshape(-1), least.reshape(-1), "amin")
        while not torch.equal(jumped := first[first], first):
            first = jumped
        if torch.equal(first, before):
            return first
