"""Removes what no camera sees of a mesh, as TRELLIS's `_fill_holes` does, and closes small holes.

The rules are TRELLIS's: faces that none of the views shows are cut off from those that many show where the
cut is shortest, a part goes if it is dark and its cut is small, and MeshFix closes what is open. Views are
drawn many at once by `raster.py`, and the graph is made of arrays.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .observations import clip_matrix
from .raster import rasterise

torch: Any = importlib.import_module("torch")
numpy: Any = importlib.import_module("numpy")

DISTANCE = 2.0
# Of pictures as wide as high, in parts of their side: 40 degrees.
FOCAL = 1.3737387
VIEWS_AT_ONCE = 20
# Parts of the views: an outer face is seen in more than this quarter of its component's, within bounds.
OUTER_QUANTILE, OUTER_LEAST, OUTER_MOST = 0.75, 0.25, 0.5
# A part that is seen in more of the views stays.
DARK = 0.25


def fill_holes(places: Callable[[int], list[list[float]]]) -> Callable[..., tuple[Any, Any]]:
    """What takes the place of `_fill_holes`. `places(count)` gives the yaw and pitch of so many cameras."""

    def fill(verts: Any, faces: Any, **asked: Any) -> tuple[Any, Any]:
        largest, longest = asked["max_hole_size"], asked["max_hole_nbe"]
        cameras = places(asked["num_views"])
        visibility = seen_in(verts, faces, cameras, asked["resolution"]).cpu().numpy()
        mesh = Mesh.of(verts.cpu().numpy(), faces.cpu().numpy())
        inner = numpy.flatnonzero(visibility == 0)
        if not len(inner):
            return verts, faces
        kept = numpy.ones(len(mesh.faces), dtype=bool)
        for part in mesh.parts(_cut_off(mesh, visibility, inner)):
            darkness = numpy.sort(visibility[part])[(len(part) - 1) // 2]
            if darkness <= DARK and all(area <= largest for area in mesh.cuts(part)):
                kept[part] = False
        vertices, left = mesh.vertices, mesh.faces
        if not kept.all():
            used, left = numpy.unique(left[kept], return_inverse=True)
            vertices, left = vertices[used], left.reshape(-1, 3).astype(numpy.int32)
        return _closed(vertices, left, longest, verts.device)

    return fill


def seen_in(vertices: Any, faces: Any, places: list[list[float]], side: int) -> Any:
    """For each face the part of the views that show it: (F) float32."""
    homogeneous = torch.nn.functional.pad(vertices.float(), (0, 1), value=1.0)
    matrices = _matrices(torch.tensor(places, dtype=torch.float32, device=vertices.device))
    counts = torch.zeros(len(faces), dtype=torch.int64, device=vertices.device)
    for some in matrices.split(VIEWS_AT_ONCE):
        face_of = rasterise(homogeneous @ some.mT, faces, side, side).view(len(some), -1)
        shown = torch.zeros(len(some), len(faces) + 1, dtype=torch.bool, device=vertices.device)
        counts += shown.scatter_(1, face_of + 1, True)[:, 1:].sum(0)
    return counts.float() / len(places)


def _matrices(places: Any) -> Any:
    """Cameras at these yaws and pitches (N, 2) that look at the origin, Z up: (N, 4, 4)."""
    yaw, pitch = places.unbind(1)
    eye = torch.stack((yaw.sin() * pitch.cos(), yaw.cos() * pitch.cos(), pitch.sin()), 1) * DISTANCE
    ahead = -eye / eye.norm(dim=1, keepdim=True)
    down = torch.tensor([0.0, 0.0, -1.0], device=eye.device).expand_as(ahead)
    right = torch.nn.functional.normalize(torch.linalg.cross(down, ahead), dim=1)
    axes = torch.stack((right, torch.linalg.cross(ahead, right), ahead), 1)
    extrinsics = torch.eye(4, device=eye.device).repeat(len(eye), 1, 1)
    extrinsics[:, :3, :3] = axes
    extrinsics[:, :3, 3] = -(axes @ eye[..., None])[..., 0]
    intrinsics = torch.tensor([[FOCAL, 0, 0.5], [0, FOCAL, 0.5], [0, 0, 1]], device=eye.device)
    return clip_matrix(torch.eye(4, device=eye.device), intrinsics) @ extrinsics


@dataclass(frozen=True)
class Mesh:
    """Faces with their edges; arrays of numpy."""

    vertices: Any  # (V, 3)
    faces: Any  # (F, 3)
    edges: Any  # (E, 2), the lower vertex first
    edges_of: Any  # (F, 3), which edges a face has
    boundary: Any  # (E) whether only one face has it

    @staticmethod
    def of(vertices: Any, faces: Any) -> Mesh:
        """Finds the edges."""
        ends = numpy.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        edges, which, counts = numpy.unique(
            numpy.sort(ends, axis=1), axis=0, return_inverse=True, return_counts=True
        )
        return Mesh(vertices, faces, edges, which.reshape(3, -1).T, counts == 1)

    def neighbours(self) -> tuple[Any, Any]:
        """Pairs of faces that share an edge with no third: (N, 2), and which edge it is: (N)."""
        flat = self.edges_of.ravel()
        order = numpy.argsort(flat, kind="stable")
        counts = numpy.bincount(flat, minlength=len(self.edges))
        first = (numpy.cumsum(counts) - counts)[counts == 2]  # noqa: PLR2004 the two faces
        return numpy.stack((order[first], order[first + 1]), 1) // 3, numpy.flatnonzero(counts == 2)  # noqa: PLR2004

    def parts(self, some: Any) -> list[Any]:
        """These faces in groups that hang together by edges."""
        return _groups(some, self.edges_of[some])

    def cuts(self, part: Any) -> list[float]:
        """The areas of the holes that taking these faces out would leave, beside those that are there."""
        edges, counts = numpy.unique(self.edges_of[part], return_counts=True)
        new = edges[(counts == 1) & ~self.boundary[edges]]
        areas = []
        for loop in _groups(new, self.edges[new]):
            ends = self.vertices[self.edges[loop]]
            away = ends - ends.mean(1).mean(0)
            areas.append(float(numpy.linalg.norm(numpy.cross(away[:, 0], away[:, 1]), axis=1).sum() * 0.5))
        return areas


def _groups(things: Any, touching: Any) -> list[Any]:
    """`things` (N) in groups that hang together by what each touches (N, K)."""
    if not len(things):
        return []
    sparse = importlib.import_module("scipy.sparse")
    graphs = importlib.import_module("scipy.sparse.csgraph")
    _, points = numpy.unique(touching, return_inverse=True)
    rows = numpy.repeat(numpy.arange(len(things)), touching.shape[1])
    size = len(things) + int(points.max()) + 1
    ones = numpy.ones(len(rows), dtype=numpy.int8)
    graph = sparse.coo_matrix((ones, (rows, points.ravel() + len(things))), shape=(size, size))
    _, labels = graphs.connected_components(graph, directed=False)
    labels = labels[: len(things)]
    order = numpy.argsort(labels, kind="stable")
    return list(numpy.split(things[order], numpy.flatnonzero(numpy.diff(labels[order])) + 1))


def _cut_off(mesh: Mesh, visibility: Any, inner: Any) -> Any:
    """The faces on the inner side of the shortest cut between what is never seen and what is seen often."""
    igraph = importlib.import_module("igraph")
    outer = numpy.zeros(len(mesh.faces), dtype=bool)
    for part in mesh.parts(numpy.arange(len(mesh.faces))):
        often = min(max(float(numpy.quantile(visibility[part], OUTER_QUANTILE)), OUTER_LEAST), OUTER_MOST)
        outer[part] = visibility[part] > often
    outer = numpy.flatnonzero(outer)
    pairs, which = mesh.neighbours()
    ends = mesh.vertices[mesh.edges[which]]
    lengths = numpy.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    source = len(mesh.faces)
    to = [
        numpy.stack((some, numpy.full_like(some, end)), 1)
        for some, end in ((inner, source), (outer, source + 1))
    ]
    graph = igraph.Graph(n=source + 2, edges=numpy.concatenate([pairs, *to]))
    weights = numpy.concatenate([lengths.astype(numpy.float64), numpy.ones(len(inner) + len(outer))])
    cut = graph.mincut(source, source + 1, (weights * 1000).tolist())
    inside = numpy.array(cut.partition[0], dtype=numpy.int64)
    return inside[inside < source]


def _closed(vertices: Any, faces: Any, longest: int, device: Any) -> tuple[Any, Any]:
    """With holes of at most so many edges closed."""
    meshfix = importlib.import_module("pymeshfix")._meshfix
    mesh = meshfix.PyTMesh()
    mesh.load_array(vertices, faces)
    mesh.fill_small_boundaries(nbe=longest, refine=True)
    vertices, faces = mesh.return_arrays()
    return (
        torch.tensor(vertices, device=device, dtype=torch.float32),
        torch.tensor(faces, device=device, dtype=torch.int32),
    )
