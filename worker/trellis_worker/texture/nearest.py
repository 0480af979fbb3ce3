"""The nearest place of a mesh's surface to each of many points: in torch alone, or by a kernel.

Faces lie in the order of a curve that fills space, some to a leaf, and over the leaves stands a whole
binary tree of boxes: node `k` has the children `2k` and `2k + 1`. So the tree is built by sorting and
halving, on the GPU in milliseconds, and nothing of it is searched for. Both ways leave out what is further
off than the best so far.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

from . import kernel

torch: Any = importlib.import_module("torch")

# Faces in a leaf.
LEAF = 4
# Bits of a place on the curve, of each axis.
CURVE_BITS = 20
# Where torch alone searches: points in one go, and boxes that are looked into at once, which in the middle of
# a sphere would be all.
AT_ONCE, BOXES = 1 << 16, 1 << 21
# Boxes of a level that lead to a first guess.
FEW = 4

SOURCE = """
template <typename T>
T find_nearest(T item, T points, T boxes, T corners, T names, T distances, T found, T shares, T leaves,
               T face_count, T leaf) {
  const float* p = (const float*)points + 3 * item;
  T stack[64];
  float reach[64];
  float best = 3e38f, share[3] = {1.0f, 0.0f, 0.0f};
  T face = -1;
  int top = 0;
  stack[0] = 1;
  reach[0] = 0.0f;
  top = 1;
  while (top > 0) {
    --top;
    if (reach[top] > best) continue;
    const T node = stack[top];
    if (node < leaves) {
      float away[2];
      for (int side = 0; side < 2; ++side) {
        const float* box = (const float*)boxes + 6 * (2 * node + side);
        away[side] = 0.0f;
        for (int k = 0; k < 3; ++k) {
          const float below = box[k] - p[k], above = p[k] - box[3 + k];
          float out = below > above ? below : above;
          out = out > 0.0f ? out : 0.0f;
          away[side] += out * out;
        }
      }
      const int near = away[1] < away[0] ? 1 : 0;
      for (int turn = 0; turn < 2; ++turn) {
        const int side = turn == 0 ? 1 - near : near;
        if (away[side] > best) continue;
        stack[top] = 2 * node + side;
        reach[top] = away[side];
        ++top;
      }
      continue;
    }
    for (T row = (node - leaves) * leaf; row < (node - leaves + 1) * leaf && row < face_count; ++row) {
      const float* corner = (const float*)corners + 9 * row;
      float along[3][3], from[3][3], square[3];
      for (int edge = 0; edge < 3; ++edge) {
        square[edge] = 0.0f;
        for (int k = 0; k < 3; ++k) {
          along[edge][k] = corner[3 * ((edge + 1) % 3) + k] - corner[3 * edge + k];
          from[edge][k] = p[k] - corner[3 * edge + k];
          square[edge] += along[edge][k] * along[edge][k];
        }
      }
      const float nx = along[0][1] * along[1][2] - along[0][2] * along[1][1];
      const float ny = along[0][2] * along[1][0] - along[0][0] * along[1][2];
      const float nz = along[0][0] * along[1][1] - along[0][1] * along[1][0];
      const float normal = nx * nx + ny * ny + nz * nz;
      float part[3], away = 3e38f, here[3] = {1.0f, 0.0f, 0.0f};
      bool inside = normal > 0.0f;
      for (int edge = 0; edge < 3; ++edge) {
        const float* a = along[edge];
        const float* b = from[edge];
        const float side = nx * (a[1] * b[2] - a[2] * b[1]) + ny * (a[2] * b[0] - a[0] * b[2]) +
                           nz * (a[0] * b[1] - a[1] * b[0]);
        part[(edge + 2) % 3] = side;
        inside = inside && side >= 0.0f;
      }
      if (inside) {
        const float up = nx * from[0][0] + ny * from[0][1] + nz * from[0][2];
        away = up * up / normal;
        const float sum = part[0] + part[1] + part[2];
        for (int k = 0; k < 3; ++k) here[k] = part[k] / sum;
      } else {
        for (int edge = 0; edge < 3; ++edge) {
          float step = 0.0f;
          for (int k = 0; k < 3; ++k) step += along[edge][k] * from[edge][k];
          step = square[edge] > 0.0f ? step / square[edge] : 0.0f;
          step = step < 0.0f ? 0.0f : step > 1.0f ? 1.0f : step;
          float rest = 0.0f;
          for (int k = 0; k < 3; ++k) {
            const float gap = from[edge][k] - step * along[edge][k];
            rest += gap * gap;
          }
          if (rest < away) {
            away = rest;
            here[edge] = 1.0f - step;
            here[(edge + 1) % 3] = step;
            here[(edge + 2) % 3] = 0.0f;
          }
        }
      }
      const T name = ((const T*)names)[row];
      if (away < best || (away == best && name < face)) {
        best = away;
        face = name;
        for (int k = 0; k < 3; ++k) share[k] = here[k];
      }
    }
  }
  ((float*)distances)[item] = best;
  ((T*)found)[item] = face;
  for (int k = 0; k < 3; ++k) ((float*)shares)[3 * item + k] = share[k];
  return 0;
}
"""


@dataclass(frozen=True)
class Nearest:
    """What is nearest to each point."""

    distance: Any  # (N) float32
    face: Any  # (N) int64
    shares: Any  # (N, 3) float32, of the face's corners


@dataclass(frozen=True)
class Tree:
    """A mesh's faces, to be searched."""

    boxes: Any  # (2L, 6) float32, of each node the least and the greatest corner; there is no node 0
    corners: Any  # (F, 3, 3) float32, in the order of the leaves
    names: Any  # (F) int64, which face of the mesh each is

    @staticmethod
    def of(vertices: Any, faces: Any) -> Tree:
        """From vertices (V, 3) and faces (F, 3), at least one."""
        corners = vertices.float()[faces.long()]
        names = _curve(corners.mean(1)).argsort(stable=True)
        corners = corners[names].contiguous()
        leaves = 1 << math.ceil(math.log2(max(1, -(-len(corners) // LEAF))))
        boxes = torch.empty(2 * leaves, 6, device=corners.device)
        for column, ends, empty in (
            (slice(0, 3), corners.amin(1), math.inf),
            (slice(3, 6), corners.amax(1), -math.inf),
        ):
            padded = torch.nn.functional.pad(ends, (0, 0, 0, leaves * LEAF - len(ends)), value=empty)
            joined = padded.view(leaves, LEAF, 3)
            first = leaves
            while first:
                joined = joined.amin(1) if empty > 0 else joined.amax(1)
                boxes[first : 2 * first, column] = joined
                first //= 2
                joined = joined.view(first, 2, 3) if first else joined
        boxes[0] = boxes[1]
        return Tree(boxes, corners, names)

    def nearest(self, points: Any) -> Nearest:
        """Of points (N, 3). Of faces as near as each other it is the first of the mesh."""
        points = points.float().contiguous()
        search = compiled() if points.is_cuda else None
        if search is not None:
            return self.found_by(search, points)
        if not len(points):
            return self.found_by(lambda *_items, **_more: None, points)
        parts = [self._search(some) for some in points.split(AT_ONCE)]
        return Nearest(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def found_by(self, search: Any, points: Any) -> Nearest:
        """By the function of `SOURCE`."""
        found = Nearest(
            torch.empty(len(points), device=points.device),
            torch.empty(len(points), dtype=torch.int64, device=points.device),
            torch.empty(len(points), 3, device=points.device),
        )
        tensors = (points, self.boxes, self.corners, self.names, found.distance, found.face, found.shares)
        addresses = dict(zip(kernel.names_of(SOURCE), (it.data_ptr() for it in tensors), strict=False))
        items = torch.arange(len(points), device=points.device)
        search(items, **addresses, leaves=len(self.boxes) // 2, face_count=len(self.corners), leaf=LEAF)
        return Nearest(found.distance.sqrt(), found.face, found.shares)

    def unsigned_distance(self, points: Any, return_uvw: bool = False) -> tuple[Any, Any, Any]:
        """As CuMesh's tree has it, in whose place this one serves."""
        found = self.nearest(points.reshape(-1, 3))
        return found.distance, found.face, found.shares if return_uvw else None

    def _search(self, points: Any) -> tuple[Any, Any, Any]:
        """Boxes level by level, none further off than a face that is known."""
        leaves = len(self.boxes) // 2
        levels = leaves.bit_length() - 1
        # The nearest few boxes of each level lead to a face that is near, if not to the nearest.
        node = torch.ones(len(points), 1, dtype=torch.int64, device=points.device)
        for _ in range(levels):
            pair = torch.cat((2 * node, 2 * node + 1), 1)
            away = self._away(points[:, None], pair)
            few = away.topk(min(FEW, pair.shape[1]), dim=1, largest=False).indices
            node = pair.gather(1, few)
        best = self._in_leaves(points[:, None], node)[0].amin((1, 2))
        point = torch.arange(len(points), device=points.device)
        node = torch.ones_like(point)
        for _ in range(levels):
            point = point.repeat_interleave(2)
            node = torch.stack((2 * node, 2 * node + 1), 1).view(-1)
            # A little more than the best, for sums are rounded.
            near = self._away(points[point], node) <= best[point] * (1 + 1e-5)
            point, node = point[near], node[near]
            if len(node) > BOXES and len(points) > 1:
                halves = [self._search(some) for some in points.chunk(2)]
                return tuple(torch.cat(column) for column in zip(*halves, strict=True))
        squared, rows, shares = self._in_leaves(points[point], node)
        point = point.repeat_interleave(LEAF)
        squared, rows, shares = squared.view(-1), rows.view(-1), shares.view(-1, 3)
        best.scatter_reduce_(0, point, squared, "amin")
        name = torch.where(squared == best[point], self.names[rows], len(self.names))
        face = torch.full_like(best, len(self.names), dtype=torch.int64).scatter_reduce_(
            0, point, name, "amin"
        )
        chosen = name == face[point]
        of = torch.zeros(len(points), 3, device=points.device)
        of[point[chosen]] = shares[chosen]
        return best.sqrt(), face, of

    def _away(self, points: Any, nodes: Any) -> Any:
        box = self.boxes[nodes]
        out = torch.maximum(box[..., :3] - points, points - box[..., 3:]).clamp(min=0)
        return (out * out).sum(-1)

    def _in_leaves(self, points: Any, nodes: Any) -> tuple[Any, Any, Any]:
        """Squared distances (..., LEAF), rows and shares of all faces in these leaves (...)."""
        rows = (nodes - len(self.boxes) // 2)[..., None] * LEAF + torch.arange(LEAF, device=nodes.device)
        there = rows < len(self.corners)
        rows = rows.clamp(max=len(self.corners) - 1)
        squared, shares = _to_faces(points[..., None, :], self.corners[rows])
        return torch.where(there, squared, math.inf), rows, shares


def compiled() -> Any:
    """The function of `SOURCE`; `None` where there is no kernel."""
    return kernel.made(SOURCE, _attempt)


def _to_faces(points: Any, corners: Any) -> tuple[Any, Any]:
    """Squared distances (...) of points (..., 3) to faces (..., 3, 3), and the nearest places' shares."""
    along = corners.roll(-1, -2) - corners
    away = points[..., None, :] - corners
    square = (along * along).sum(-1)
    step = (along * away).sum(-1) / torch.where(square > 0, square, 1)
    step = torch.where(square > 0, step, 0).clamp(0, 1)
    rest = ((away - step[..., None] * along) ** 2).sum(-1)
    best, edge = rest.min(-1)
    step = step.gather(-1, edge[..., None])
    shares = torch.zeros_like(rest).scatter_(-1, edge[..., None], 1 - step)
    shares = shares.scatter_(-1, (edge[..., None] + 1) % 3, step)

    normal = torch.linalg.cross(along[..., 0, :], along[..., 1, :])
    part = (normal[..., None, :] * torch.linalg.cross(along, away)).sum(-1).roll(-1, -1)
    length = (normal * normal).sum(-1)
    up = (normal * away[..., 0, :]).sum(-1)
    total = part.sum(-1, keepdim=True)
    inside = (length > 0) & (part >= 0).all(-1)
    return (
        torch.where(inside, up * up / torch.where(length > 0, length, 1), best),
        torch.where(inside[..., None], part / torch.where(total == 0, 1, total), shares),
    )


def _curve(places: Any) -> Any:
    """Where places (N, 3) lie on a curve through space: the bits of their three coordinates in turn."""
    low, high = places.amin(0), places.amax(0)
    cell = (places - low) / (high - low).clamp(min=1e-20) * ((1 << CURVE_BITS) - 1)
    code = torch.zeros(len(places), dtype=torch.int64, device=places.device)
    for axis, column in enumerate(cell.long().unbind(1)):
        for bit in range(CURVE_BITS):
            code |= (column >> bit & 1) << (3 * bit + axis)
    return code


def _attempt(search: Any, device: str) -> None:
    """Raises a `RuntimeError` where the kernel does not find what is near."""
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], device=device)
    tree = Tree.of(corners, torch.tensor([[0, 1, 2]], device=device))
    found = tree.found_by(search, torch.tensor([[0.25, 0.25, 2.0], [3.0, 0.0, 0.0]], device=device))
    if found.distance.tolist() != [2.0, 2.0] or found.shares.tolist() != [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]:
        raise RuntimeError(f"it finds {found.distance.tolist()}, {found.shares.tolist()}")
