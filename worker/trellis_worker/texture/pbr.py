"""A GLB with materials from TRELLIS.2's mesh in its grid of voxels, as its `to_glb` makes one.

What that function does, in its order: small holes are filled, the surface is rebuilt, faces are reduced,
the mesh is unwrapped, each texel takes what the voxels hold at the nearest place of the mesh as it was
before, and what no face covers is filled from what is near. The mesh is CuMesh's work here too; the tree of
the surface, the charts, the drawing, the colours and the filling are our own, and all on the GPU.
"""

from __future__ import annotations

import importlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..protocol import Stage
from ..stages import Stages
from .alpha import alpha_mode
from .atlas import Atlas, unwrapped
from .fill import filled
from .glb import DEFLATE
from .nearest import Tree
from .raster import shares
from .reduce import LARGEST_HOLE, reduce
from .voxels import Voxels
from .walls import without_inner

torch: Any = importlib.import_module("torch")

# How far from the surface a rebuilt one is, in voxels.
BAND = 1
# Texels around a chart that take what is there on the surface, as many as its margin has.
GROWN = 2
# Texels in one go: what bounds the memory.
AT_ONCE = 1 << 22
# Pillow's options for the base colour, and for metallic and roughness. Lossy WebP halves the resolution of
# colour differences: fine for a colour, but it ruins two unrelated numbers (docs/performance.md). Alpha stays
# lossless.
PNG = ({"format": "PNG", "compress_level": DEFLATE},) * 2
WEBP = (
    {"format": "WEBP", "quality": 90, "method": 0, "exact": True},
    {"format": "WEBP", "lossless": True, "quality": 0, "method": 0},
)
# Holes, the tree, the rebuilt surface, fewer faces; charts, colours, filling.
SIMPLIFY_STEPS, TEXTURE_STEPS = 4, 3


@dataclass(frozen=True)
class Asked:
    """What a job asks of its GLB."""

    faces: int
    size: int  # of the texture
    remesh: bool
    webp: bool = False


def to_glb(mesh: Any, asked: Asked, stages: Stages) -> Any:
    """A trimesh, Y up, of TRELLIS.2's mesh with voxels."""
    with torch.no_grad():
        stages.enter(Stage.SIMPLIFY, SIMPLIFY_STEPS)
        held = importlib.import_module("cumesh").CuMesh()
        held.init(mesh.vertices.contiguous(), mesh.faces.contiguous())
        held.fill_holes(max_hole_perimeter=LARGEST_HOLE)
        whole = held.read()
        stages.step()
        tree = Tree.of(*whole)
        stages.step()
        if asked.remesh:
            _rebuild(held, whole, tree, mesh.voxel_size)
            stages.step()
            held.simplify(asked.faces)
        else:
            stages.step()
            reduce(held, asked.faces, stages)
            held.unify_face_orientations()
        vertices, faces = outwards(*held.read())
        del held
        stages.enter(Stage.TEXTURE, TEXTURE_STEPS)
        atlas = unwrapped(vertices, faces, asked.size, stages.check)
        stages.step()
        colours = _colours(mesh, atlas, vertices, (tree, *whole))
        stages.step()
        texture, alpha = finished(mesh.layout, colours)
        made = textured_mesh(mesh.layout, atlas, (vertices, normals(vertices, faces)), texture, asked)
        made.visual.material.alphaMode = alpha
        return made


def rebuild(held: Any, voxel_size: float) -> None:
    """Has CuMesh rebuild the surface that it holds, its holes filled."""
    with torch.no_grad():
        held.fill_holes(max_hole_perimeter=LARGEST_HOLE)
        whole = held.read()
        _rebuild(held, whole, Tree.of(*whole), voxel_size)


def finished(layout: dict[str, slice], colours: Any) -> tuple[Any, str]:
    """Of what texels hold (C + 1, S, S), the last whether it is known: the texture (S, S, C), 8 bits, and how
    glTF is to take its alpha."""
    known = colours[-1]
    filled_in = (filled(colours[:-1] * known, known).clamp(0, 1) * 255).round().byte()
    # Texels that no face shows have no say.
    alpha = filled_in[layout["alpha"]][0][known > 0].long().bincount(minlength=256).tolist()
    return filled_in.flip(1).permute(1, 2, 0).cpu().numpy(), alpha_mode(alpha)


def _rebuild(held: Any, whole: tuple[Any, Any], tree: Tree, voxel_size: float) -> None:
    """CuMesh's surface at an even distance from what it holds, in a space as wide as 1; no inner walls."""
    vertices, faces = whole
    resolution = round(1 / voxel_size)
    rebuilt = importlib.import_module("cumesh").remeshing.remesh_narrow_band_dc(
        vertices,
        faces,
        center=torch.zeros(3, device=vertices.device),
        scale=(resolution + 3 * BAND) / resolution,
        resolution=resolution,
        band=BAND,
        project_back=0,
        bvh=tree,
    )
    held.init(*without_inner(*rebuilt))


def _colours(mesh: Any, atlas: Atlas, vertices: Any, before: tuple[Tree, Any, Any]) -> Any:
    """What each texel holds (C + 1, S, S), the last whether it is known."""
    tree, old_vertices, old_faces = before
    voxels = Voxels.of(mesh.coords, mesh.attrs, mesh.origin.to(vertices.device), float(mesh.voxel_size))
    size = len(atlas.shown)
    shown = grown(atlas.shown).view(-1)
    colours = torch.zeros(size * size, mesh.attrs.shape[1] + 1, device=vertices.device)
    for pixel in (shown >= 0).nonzero()[:, 0].split(AT_ONCE):
        face = shown[pixel]
        share = shares(atlas.clip(), atlas.faces, face, pixel, (size, size)).here
        place = (share[..., None] * vertices[atlas.mapping[atlas.faces[face]]]).sum(1)
        near = tree.nearest(place)
        place = (near.shares[..., None] * old_vertices[old_faces[near.face].long()]).sum(1)
        numbers, weight = voxels.at(place)
        colours[pixel] = torch.cat([numbers, (weight > 0)[:, None]], 1)
    return colours.T.reshape(-1, size, size)


def grown(shown: Any) -> Any:
    """Faces of texels (H, W), and of those around charts the face beside them, as if it went on: viewers mix
    them with those within."""
    height, width = shown.shape
    for _ in range(GROWN):
        wide = torch.nn.functional.pad(shown, (1, 1, 1, 1), value=-1)
        for down, right in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2)):
            beside = wide[down : down + height, right : right + width]
            shown = torch.where(shown < 0, beside, shown)
    return shown


def outwards(vertices: Any, faces: Any) -> tuple[Any, Any]:
    """With all faces turned where more of them look inwards."""
    first, second, third = vertices.double()[faces.long()].unbind(1)
    inwards = bool((torch.linalg.cross(first, second) * third).sum() < 0)
    return vertices, faces[:, [0, 2, 1]] if inwards else faces


def normals(vertices: Any, faces: Any) -> Any:
    """Of vertices (V, 3): those of the faces around, by their areas. Whole numbers, so in any order."""
    faces = faces.long()
    corners = vertices[faces].double()
    of_faces = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    largest = of_faces.abs().max().clamp(min=1e-300)
    whole = (of_faces / largest * (1 << 40)).round().long()
    summed = torch.zeros(len(vertices), 3, dtype=torch.int64, device=vertices.device)
    for corner in faces.unbind(1):
        summed.index_add_(0, corner, whole)
    # Those of faces without an area have none, and glTF allows no normal of length 0.
    summed[(summed == 0).all(1), 2] = 1
    return torch.nn.functional.normalize(summed.double(), dim=1).float()


def textured_mesh(
    layout: dict[str, slice], atlas: Atlas, surface: tuple[Any, Any], texture: Any, asked: Asked
) -> Any:
    """The mesh with the material that `to_glb` gives it."""
    numpy = importlib.import_module("numpy")
    image = importlib.import_module("PIL.Image")
    trimesh = importlib.import_module("trimesh")
    visual = importlib.import_module("trimesh.visual")
    metal, rough = (texture[..., layout[name]] for name in ("metallic", "roughness"))
    colour = texture[..., layout["base_color"]], texture[..., layout["alpha"]]
    pictures = [
        image.fromarray(numpy.concatenate(channels, -1))
        for channels in (colour, (numpy.zeros_like(metal), rough, metal))
    ]
    with ThreadPoolExecutor(len(pictures)) as beside:
        written = list(beside.map(_encoded, pictures, WEBP if asked.webp else PNG))
    for picture, content in zip(pictures, written, strict=True):
        picture.save = _saving(content)
    material = visual.material.PBRMaterial(
        baseColorTexture=pictures[0],
        baseColorFactor=[255, 255, 255, 255],
        metallicRoughnessTexture=pictures[1],
        metallicFactor=1.0,
        roughnessFactor=1.0,
        doubleSided=not asked.remesh,
    )
    # From Z up to Y up.
    vertices, facing = (
        part[atlas.mapping][:, [0, 2, 1]].cpu().numpy() * numpy.array([1, 1, -1], "f4") for part in surface
    )
    return trimesh.Trimesh(
        vertices,
        atlas.faces.cpu().numpy(),
        vertex_normals=facing,
        process=False,
        visual=visual.TextureVisuals(uv=atlas.uvs.cpu().numpy(), material=material),
    )


def _encoded(picture: Any, options: dict[str, Any]) -> bytes:
    held = io.BytesIO()
    picture.save(held, **options)
    return held.getvalue()


def _saving(content: bytes) -> Any:
    """In the place of a picture's `save`, which would deflate it once more."""

    def save(to: Any, *_format: Any, **_options: Any) -> None:
        if hasattr(to, "write"):
            to.write(content)
        else:
            Path(to).write_bytes(content)

    return save
