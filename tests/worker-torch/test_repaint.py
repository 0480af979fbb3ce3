"""The texture of a given mesh: against colours that are known, and what of the mesh stays as it was."""

from __future__ import annotations

import unittest
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy
import rods
import shells
import torch
from test_pbr import Told
from test_simplify import torus
from trellis_worker.meshes import GivenMesh
from trellis_worker.protocol import Stage
from trellis_worker.stages import Cancelled
from trellis_worker.texture import repaint

SIDE, SIZE = 80, 256


def surface(vertices: Any, faces: Any, normals: Any = None, uvs: Any = None) -> repaint.Surface:
    """Of a mesh with Z up that fills a cube of side 1 in part."""
    places = torch.as_tensor(vertices).float()
    upright = places[:, [0, 2, 1]] * torch.tensor([1, 1, -1])
    given = GivenMesh(upright, torch.as_tensor(faces).int(), normals, uvs)
    return repaint.Surface.of(given, places.double().numpy(), "cpu")


def grid(vertices: Any, faces: Any) -> repaint.Grid:
    shell = shells.decoded(vertices, faces, SIDE)
    return repaint.Grid(shell.coords, shell.attrs, SIDE)


@unittest.skipUnless(find_spec("trimesh"), "trimesh is missing")
class Painted(unittest.TestCase):
    def painted(self, mesh: repaint.Surface, told: Told | None = None) -> repaint.Painted:
        places = mesh.places.numpy()
        stages = (told or Told()).stages
        asked = repaint.Asked(len(mesh.faces), SIZE, False)
        return repaint.painted(mesh, grid(places, mesh.faces), shells.LAYOUT, asked, stages)

    def test_a_new_layout_has_the_colours_of_the_voxels(self) -> None:
        made = self.painted(surface(*torus(90, 50)))
        self.assertEqual(made.notes, [])
        worth = shells.worth(made.mesh)
        self.assertGreater(worth["colour"], 44)
        self.assertGreater(worth["metal and roughness"], 49)

    def test_each_step_is_told_and_ends_a_cancelled_job(self) -> None:
        told = Told()
        self.painted(surface(*torus(40, 20)), told)
        self.assertEqual(told.steps, [("texture", step, 3) for step in range(3)])
        with self.assertRaises(Cancelled):
            self.painted(surface(*torus(40, 20)), Told((Stage.TEXTURE, 1)))

    def test_vertices_and_normals_stay_as_they_were_to_the_bit(self) -> None:
        vertices, faces, normals, uvs = rods.rod()
        low, high = vertices.amin(0), vertices.amax(0)
        places = ((vertices - (low + high) / 2) / rods.LENGTH)[:, [0, 2, 1]] * torch.tensor([1, -1, 1])
        for given in (None, uvs):
            mesh = repaint.Surface(vertices, faces.long(), normals, given, places)
            made = self.painted(mesh).mesh
            corners, expected = made.faces, faces.long()
            numpy.testing.assert_array_equal(
                numpy.float32(made.vertices[corners]), vertices[expected].numpy()
            )
            facing = numpy.float32(made.vertex_normals[corners])
            numpy.testing.assert_allclose(facing, normals[expected].numpy(), atol=1e-6)

    def test_the_mesh_s_own_layout_is_kept_where_it_can_be(self) -> None:
        vertices, faces, normals, uvs = rods.rod()
        mesh = surface(vertices, faces, normals, uvs)
        atlas, why = repaint.own_atlas(mesh, SIZE)
        self.assertEqual(why, "")
        self.assertTrue(torch.equal(atlas.uvs, uvs))
        # Rounded by who wrote them.
        atlas, why = repaint.own_atlas(replace(mesh, uvs=uvs * (1 + 1e-6) - 5e-7), SIZE)
        self.assertEqual(why, "")
        self.assertEqual((float(atlas.uvs.min()), float(atlas.uvs.max())), (0, 1))
        collapsed = uvs.clone()
        collapsed[: len(uvs) // 2] = 0.5
        # Twice around in one place.
        folded = uvs.clone()
        folded[:, 0] = (folded[:, 0] - 0.5).abs() * 2
        for wrong, said in (
            (uvs * 1.5, "outside the texture"),
            (collapsed, "faces have none"),
            (folded, "overlap"),
            (None, "mesh has none"),
        ):
            atlas, why = repaint.own_atlas(replace(mesh, uvs=wrong), SIZE)
            self.assertIsNone(atlas)
            self.assertIn(said, why)

    def test_who_made_the_mesh_hears_that_its_layout_is_not_used(self) -> None:
        vertices, faces = torus(40, 20)
        made = self.painted(surface(vertices, faces, uvs=torch.zeros(len(vertices), 2)))
        self.assertEqual(made.notes, ["the mesh got new texture coordinates: some of its faces have none"])

    def test_triangles_that_share_no_vertices_are_still_one_surface(self) -> None:
        vertices, faces = (torch.as_tensor(part) for part in torus(40, 20))
        apart = vertices[faces].reshape(-1, 3)
        alone = torch.arange(len(apart)).view(-1, 3)
        whole, soup = (self.painted(surface(*mesh)).mesh for mesh in ((vertices, faces), (apart, alone)))
        self.assertEqual(len(soup.faces), len(whole.faces))
        # As many charts, so about as many places in the texture.
        places = len(numpy.unique(soup.visual.uv.round(6), axis=0))
        self.assertLess(places, 1.05 * len(numpy.unique(whole.visual.uv.round(6), axis=0)))
        # Without normals of its own it is as smooth as its surface.
        self.assertGreater((soup.vertex_normals[soup.faces] * soup.face_normals[:, None]).sum(2).min(), 0.5)

    def test_a_mesh_of_any_size_is_unwrapped(self) -> None:
        vertices, faces = torus(40, 20)
        usual = surface(vertices, faces)
        made = self.painted(usual).mesh
        for scale in (1e-20, 1e20):
            scaled = replace(usual, vertices=usual.vertices * scale)
            again = self.painted(scaled).mesh
            numpy.testing.assert_allclose(again.visual.uv, made.visual.uv, atol=1e-5)

    def test_each_vertex_has_a_normal(self) -> None:
        vertices, faces = torus(40, 20)
        normals = surface(vertices, faces).vertices.clone()
        normals[::7] = 0
        # A face on a line has none.
        line = numpy.array([[0.1, 0, 0], [0.2, 0, 0], [0.3, 0, 0]], "f4")
        faces = numpy.concatenate([faces, [[0, 1, 2]] + numpy.int64(len(vertices))])
        vertices, normals = numpy.concatenate([vertices, line]), torch.cat([normals, torch.zeros(3, 3)])
        for given in (normals, None):
            facing = repaint._facing(surface(vertices, faces, normals=given))
            self.assertGreater(float(facing.norm(dim=1).min()), 0)
            if given is not None:
                there = (given != 0).any(1)
                self.assertTrue(torch.equal(facing[there], given[there]), "the others stay")

    def test_a_face_without_area_is_left_out(self) -> None:
        vertices, faces = torus(40, 20)
        faces = numpy.concatenate([faces, [[0, 0, 1], [3, 3, 3]]])
        self.assertEqual(len(surface(vertices, faces).faces), len(faces) - 2)


if __name__ == "__main__":
    unittest.main()
