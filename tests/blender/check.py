"""Blender's view of a preview's files: `check.py FOLDER` with chair.glb, chair.obj and chair.stl in it."""

import json
import struct
import sys
from pathlib import Path

import bpy

LABEL = "preview, not TRELLIS"
NAME = f"red chair ({LABEL})"


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: {found!r} where {expected!r} is expected")
    print(f"ok: {what}")


def empty() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def document(path: Path) -> dict:
    """The JSON of a GLB."""
    content = path.read_bytes()
    return json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])


def meshes() -> list:
    return [item for item in bpy.data.objects if item.type == "MESH"]


def sides(item) -> list[float]:
    """The sides of the box around it as it stands in the scene; an importer may turn a mesh by its object."""
    corners = [item.matrix_world @ vertex.co for vertex in item.data.vertices]
    return [round(max(column) - min(column), 3) for column in zip(*corners, strict=True)]


def glb(folder: Path) -> None:
    empty()
    bpy.ops.import_scene.gltf(filepath=str(folder / "chair.glb"))
    expect("the object that Blender shows", [item.name for item in meshes()], [NAME])
    again = folder / "again.glb"
    bpy.ops.export_scene.gltf(filepath=str(again), export_format="GLB", export_extras=True)
    saved = document(again)
    for kind in ("nodes", "meshes", "materials"):
        found = [(item.get("name"), item.get("extras", {}).get("label")) for item in saved[kind]]
        expect(f"{kind} after an export", found, [(NAME, LABEL)])
    expect("the scene after an export", saved["scenes"][0].get("extras", {}).get("label"), LABEL)
    # Custom properties are exported only where that is ticked: the names stay in any case.
    bpy.ops.export_scene.gltf(filepath=str(again), export_format="GLB", export_extras=False)
    saved = document(again)
    for kind in ("nodes", "meshes", "materials"):
        expect(f"{kind} after an export without extras", [item.get("name") for item in saved[kind]], [NAME])


def obj(folder: Path) -> None:
    empty()
    bpy.ops.import_scene.gltf(filepath=str(folder / "chair.glb"))
    (item,) = meshes()
    faces, box = len(item.data.polygons), sides(item)
    empty()
    bpy.ops.wm.obj_import(filepath=str(folder / "chair.obj"))
    (item,) = meshes()
    expect("the OBJ's triangles", len(item.data.polygons), faces)
    expect("the OBJ's sides", sides(item), box)
    (material,) = bpy.data.materials
    expect("the OBJ's material", material.name, NAME.replace(" ", "_"))
    (texture,) = [image for image in bpy.data.images if image.type == "IMAGE"]
    expect("the OBJ's texture", (Path(texture.filepath).name, tuple(texture.size)), ("chair.texture.png", (1024, 1024)))
    expect("texture coordinates", len(item.data.uv_layers), 1)


def stl(folder: Path) -> None:
    empty()
    bpy.ops.import_scene.gltf(filepath=str(folder / "chair.glb"))
    (item,) = meshes()
    # Blender has Z up, and turns a GLB; an STL it takes as it is.
    box = sides(item)
    empty()
    bpy.ops.wm.stl_import(filepath=str(folder / "chair.stl"))
    (item,) = meshes()
    expect("the STL's longest side, in millimetres", max(sides(item)), 80.0)
    shape = [round(side / 80, 2) for side in sides(item)]
    expect("the STL's shape, upright", shape, [round(side / max(box), 2) for side in box])


for check in (glb, obj, stl):
    check(Path(sys.argv[1]))
