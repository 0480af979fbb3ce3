"""Has o-voxel find the voxels of a given mesh, in bounded time and memory.

o-voxel tests each voxel of a triangle's bounding box, which for a single slanted triangle can be the whole
grid, and keeps about 250 bytes for each voxel that it finds. So long edges are halved first where the boxes
are large, which leaves the surface as it is, and a mesh with too much surface is refused.

Names, and what is called when: `o_voxel/convert/flexible_dual_grid.py` and
`src/convert/flexible_dual_grid.cpp` of Microsoft's TRELLIS.2.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from ..checkpoints import replaced
from ..facts import is_stand_in
from ..failures import WorkerError
from ..protocol import Kind

# The grids for which there are flows.
RESOLUTIONS = (512, 1024)
# Largest area of a mesh, in faces of voxels; there are about twice as many voxels. A sphere that fills a grid
# of 1024 has 3.3 million.
MOST_SURFACE = 25_000_000
# Voxels in all bounding boxes together up to which a mesh is taken as it is: some ten seconds' work.
BOXES = 1_000_000_000
# Longer edges are halved where there are more, in voxels.
LONGEST_EDGE = 64
# Half as long ones are halved, and so on, while there are more than these: a minute's work.
MOST_BOXES = 5_000_000_000
# Triangles at most, then.
MOST_FACES = 12_000_000
# How soon a cancel is noticed.
POLL_SECONDS = 0.1


@contextmanager
def bounded(check: Callable[[], None]) -> Iterator[None]:
    """While it is open, o-voxel takes meshes with care and prints no times, as TRELLIS.2 asks it to: in one
    environment that crashed. `check` is called while it works, and ends the wait if it raises."""
    convert = importlib.import_module("o_voxel.convert")
    original = convert.mesh_to_flexible_dual_grid

    def with_care(vertices: Any, faces: Any, *, grid_size: int, **options: Any) -> Any:
        options["timing"] = False
        if is_stand_in():
            return original(vertices, faces, grid_size=grid_size, **options)
        found = _awaited(
            lambda: original(*eased(vertices, faces, grid_size), grid_size=grid_size, **options), check
        )
        if not len(found[0]):
            raise WorkerError(
                Kind.BAD_INPUT,
                f"the mesh is too thin for a grid of {grid_size}: it lies between the grid's lines; "
                + _way(grid_size < RESOLUTIONS[-1], "larger", "make it thicker"),
            )
        return found

    with replaced(convert, "mesh_to_flexible_dual_grid", with_care):
        yield


def _awaited(work: Callable[[], Any], check: Callable[[], None]) -> Any:
    """What `work` gives, from a thread. torch and o-voxel work without Python's lock, two minutes at
    worst; that of a cancelled job is left to end by itself."""
    beside = ThreadPoolExecutor(1)
    try:
        result = beside.submit(work)
        while not wait([result], POLL_SECONDS).done:
            check()
        return result.result()
    finally:
        beside.shutdown(wait=False)


def eased(vertices: Any, faces: Any, side: int) -> tuple[Any, Any]:
    """The same surface for a grid of `side` voxels a side. Vertices (V, 3) lie in a cube of side 1."""
    torch = importlib.import_module("torch")
    corners = vertices[faces].double() * side
    first, second, third = corners.unbind(1)
    surface = float(torch.linalg.cross(second - first, third - first).norm(dim=1).sum()) / 2
    if surface > MOST_SURFACE:
        raise WorkerError(
            Kind.BAD_INPUT,
            f"the mesh has too much surface for a grid of {side}: about {2 * surface / 1e6:.0f} million "
            f"voxels, of at most {2 * MOST_SURFACE / 1e6:.0f} million; "
            + _way(side > RESOLUTIONS[0], "smaller", "leave parts of it out"),
        )
    longest, most = LONGEST_EDGE / side, BOXES
    while _boxes(vertices, faces, side) > most:
        vertices, faces = halved(vertices, faces, longest)
        longest, most = longest / 2, MOST_BOXES
    return vertices, faces


def _boxes(vertices: Any, faces: Any, side: int) -> float:
    """How many voxels the triangles' bounding boxes have in all."""
    corners = vertices[faces]
    return float(((corners.amax(1) - corners.amin(1)) * side + 1).double().prod(1).sum())


def _way(there_is: bool, other: str, otherwise: str) -> str:
    """What to do: ask for the other `resolution` where there is one, else something with the mesh."""
    if there_is:
        return f"ask for a {other} `resolution`"
    return f"there is no {other} `resolution`: {otherwise}"


def halved(vertices: Any, faces: Any, longest: float) -> tuple[Any, Any]:
    """With no edge longer than `longest`. Faces that share an edge share its halves."""
    torch = importlib.import_module("torch")
    while True:
        ends = torch.stack((faces, faces.roll(-1, 1)), 2).sort(2).values
        low, high = ends.unbind(2)
        long = (vertices[low] - vertices[high]).norm(dim=2) > longest
        if not bool(long.any()):
            return vertices, faces
        edges, of_face = (low[long] * len(vertices) + high[long]).unique(return_inverse=True)
        middle = torch.full_like(faces, -1)
        middle[long] = of_face + len(vertices)
        first, second = vertices[edges // len(vertices)], vertices[edges % len(vertices)]
        vertices = torch.cat([vertices, (first + second) / 2])
        faces = torch.cat([faces[~long.any(1)], *_parts(faces, middle, long)])
        if len(faces) > MOST_FACES:
            raise WorkerError(
                Kind.BAD_INPUT,
                "the mesh has too many triangles that are long and thin; remesh it, so that their sides are "
                "more alike",
            )


def _parts(faces: Any, middle: Any, long: Any) -> Iterator[Any]:
    """The two, three or four parts of faces (F, 3) that have one, two or three `long` edges (F, 3). `middle`
    (F, 3) is the vertex halfway along each of these, from a corner to the next."""
    torch = importlib.import_module("torch")
    count = long.sum(1)
    for halves, parts in (
        # By number, 0 to 2 are the corners and 3 to 5 the middles behind them.
        (1, ((0, 3, 2), (3, 1, 2))),
        (2, ((3, 1, 4), (0, 3, 4), (0, 4, 2))),
        (3, ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5))),
    ):
        some = count == halves
        # Turned so that the halved edges come first.
        ahead = long[some].byte()
        start = (ahead * (1 + (ahead.roll(1, 1) == 0).byte())).argmax(1, keepdim=True)
        order = (start + torch.arange(3, device=faces.device)) % 3
        both = torch.cat([faces[some].gather(1, order), middle[some].gather(1, order)], 1)
        for part in parts:
            yield both[:, list(part)]
