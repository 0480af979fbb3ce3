"""TRELLIS.2's GLB as it lies on the disk: how it holds its textures, and what it says of alpha."""

from __future__ import annotations

import copy
import sys
import tempfile
import unittest
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy
import shells
from kit import ROOT
from test_pbr import Told
from test_simplify import torus
from trellis_worker.families.trellis2_files import Exports
from trellis_worker.protocol import Format

sys.path.append(str(ROOT / "tests" / "gpu"))
import glbs

SIDE, SIZE = 80, 256
USED = "EXT_texture_webp"


@unittest.skipUnless(find_spec("fast_simplification") and find_spec("trimesh"), "libraries are missing")
class Written(unittest.TestCase):
    mesh: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.mesh = shells.decoded(*torus(90, 50), SIDE)

    def written(self, texture_format: str = "png", alpha: Any = None) -> Any:
        """The GLB; `alpha` is that of voxels at their places (N, 3)."""
        mesh = copy.copy(self.mesh)
        if alpha is not None:
            mesh.attrs = mesh.attrs.clone()
            mesh.attrs[:, 5] = alpha((mesh.coords + 0.5) / SIDE - 0.5)
        run = SimpleNamespace(stages=Told().stages, params=SimpleNamespace(texture=True))
        own = SimpleNamespace(
            quality="balanced",
            decimation_target=2500,
            texture_size=SIZE,
            texture_format=texture_format,
            remesh=False,
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(sys.modules, {"cumesh": shells.cumesh}),
        ):
            file = Path(folder) / "model.glb"
            Exports(run, mesh, None, own, SIDE).prepare(Format.GLB)(file)  # type: ignore[arg-type]
            return glbs.Glb(file.read_bytes())

    def plain(self, remesh: bool, quality: str, format_: Format) -> Any:
        """A file without colours, of a mesh that has none."""
        import trimesh

        mesh = SimpleNamespace(vertices=self.mesh.vertices, faces=self.mesh.faces)
        params = SimpleNamespace(texture=False, stl_size_mm=100.0)
        run = SimpleNamespace(stages=Told().stages, params=params)
        own = SimpleNamespace(
            quality=quality, decimation_target=2500, texture_size=SIZE, texture_format="png", remesh=remesh
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(sys.modules, {"cumesh": shells.cumesh}),
        ):
            file = Path(folder) / f"model.{format_.value}"
            Exports(run, mesh, None, own, SIDE).prepare(format_)(file)  # type: ignore[arg-type]
            return trimesh.load(file, force="mesh")

    def test_a_mesh_without_colours_is_rebuilt_too(self) -> None:
        as_it_is, rebuilt = (self.plain(remesh, "balanced", Format.GLB) for remesh in (False, True))
        # By a voxel on each side, of a space that is a little wider.
        grown = 2 / SIDE * (SIDE + 3) / SIDE
        numpy.testing.assert_allclose(rebuilt.extents - as_it_is.extents, grown, atol=0.3 * grown)
        numpy.testing.assert_allclose(self.plain(True, "exact", Format.GLB).extents, as_it_is.extents)
        solid = self.plain(True, "balanced", Format.STL)
        self.assertTrue(solid.is_watertight)
        self.assertAlmostEqual(float(solid.extents.max()), 100, places=3)

    def pixels(self, glb: Any, name: str) -> Any:
        shading = glb.json["materials"][0]["pbrMetallicRoughness"]
        # WebP leaves out an alpha that is full everywhere.
        return numpy.asarray(glb.picture(shading[name]).convert("RGBA")).astype(float)

    def test_png_needs_no_extension(self) -> None:
        glb = self.written()
        self.assertEqual([image["mimeType"] for image in glb.json["images"]], ["image/png"] * 2)
        self.assertNotIn("extensionsRequired", glb.json)
        self.assertTrue(all("source" in texture for texture in glb.json["textures"]))

    def test_webp_is_required_and_shows_the_same(self) -> None:
        plain, glb = self.written(), self.written("webp")
        self.assertEqual([image["mimeType"] for image in glb.json["images"]], ["image/webp"] * 2)
        self.assertIn(USED, glb.json["extensionsUsed"])
        # There is no other picture for a viewer that does not know it.
        self.assertIn(USED, glb.json["extensionsRequired"])
        material = "metallicRoughnessTexture"
        self.assertEqual(numpy.abs(self.pixels(plain, material) - self.pixels(glb, material)).max(), 0)
        colours = [self.pixels(of, "baseColorTexture") for of in (plain, glb)]
        self.assertEqual(numpy.abs(colours[0][..., 3] - colours[1][..., 3]).max(), 0)
        away = ((colours[0][..., :3] - colours[1][..., :3]) ** 2).mean()
        self.assertGreater(-10 * numpy.log10(away / 255**2), 34)
        self.assertLess(len(glb.binary), len(plain.binary))

    def test_what_is_hidden_keeps_its_colour_in_webp(self) -> None:
        def half(places: Any) -> Any:
            return (places[:, 0] < 0).float()

        plain, glb = self.written(alpha=half), self.written("webp", alpha=half)
        # Viewers mix it with what is beside.
        away = self.pixels(plain, "baseColorTexture") - self.pixels(glb, "baseColorTexture")
        self.assertLess(numpy.abs(away[..., :3]).mean(), 3)

    def test_alpha_mode_is_what_the_texture_uses(self) -> None:
        for texture_format in ("png", "webp"):
            for alpha, expected in (
                (None, "OPAQUE"),
                # One half is away; all is glass; a part is.
                (lambda places: (places[:, 0] < 0).float(), "MASK"),
                (lambda places: places[:, 0] * 0 + 0.6, "BLEND"),
                (lambda places: 1 - 0.7 * (places[:, 0] > 0.2).float(), "BLEND"),
            ):
                [material] = self.written(texture_format, alpha).json["materials"]
                self.assertEqual(material.get("alphaMode", "OPAQUE"), expected, texture_format)


if __name__ == "__main__":
    unittest.main()
