"""What is in a GLB, read without a library: whether it is whole, and has TRELLIS.2's materials."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

# Bytes of a component by glTF's number for its type, and components by shape.
WIDTHS = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
SHAPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """One file's JSON and its binary part. Raises a `ValueError` for one that is not whole."""

    def __init__(self, content: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", content)
        if (magic, version, length) != (b"glTF", 2, len(content)):
            raise ValueError(
                f"the header says {magic!r}, version {version}, {length} of {len(content)} bytes"
            )
        size, kind = struct.unpack_from("<I4s", content, 12)
        if kind != b"JSON":
            raise ValueError(f"the first part is {kind!r}")
        self.json: dict[str, Any] = json.loads(content[20 : 20 + size])
        rest = content[20 + size :]
        size, kind = struct.unpack_from("<I4s", rest)
        if kind != b"BIN\0" or len(rest) != 8 + size:
            raise ValueError(f"the second part is {kind!r} of {size} bytes, {len(rest) - 8} follow")
        self.binary = rest[8:]

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.json["bufferViews"][index]
        start = view.get("byteOffset", 0)
        if start + view["byteLength"] > len(self.binary):
            raise ValueError(f"buffer view {index} goes beyond the end")
        return self.binary[start : start + view["byteLength"]]

    def accessor(self, index: int) -> Any:
        """An accessor's numbers, a row for each element."""
        import numpy

        told = self.json["accessors"][index]
        types = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
        columns = SHAPES[told["type"]]
        start, count = told.get("byteOffset", 0), told["count"] * columns
        found = self.view(told["bufferView"])
        if start + count * WIDTHS[told["componentType"]] > len(found):
            raise ValueError(f"accessor {index} goes beyond the end of its view")
        return numpy.frombuffer(found, types[told["componentType"]], count, start).reshape(-1, columns)

    def picture(self, texture: dict[str, Any]) -> Any:
        """The picture of a texture that a material names."""
        from PIL import Image

        told = self.json["textures"][texture["index"]]
        source = told.get("extensions", {}).get("EXT_texture_webp", told)["source"]
        picture = Image.open(io.BytesIO(self.view(self.json["images"][source]["bufferView"])))
        picture.load()
        return picture


def faces(content: bytes) -> int:
    """How many triangles the only mesh of a GLB has."""
    glb = Glb(content)
    [primitive] = glb.json["meshes"][0]["primitives"]
    return int(glb.json["accessors"][primitive["indices"]]["count"]) // 3


def flaws(content: bytes, texture_size: int, radius: float, most_faces: int) -> list[str]:
    """What is wrong with the GLB of a sphere around the middle, with TRELLIS.2's materials."""
    try:
        glb = Glb(content)
        [mesh] = glb.json["meshes"]
        [primitive] = mesh["primitives"]
        attributes = {name: glb.accessor(index) for name, index in primitive["attributes"].items()}
        triangles = glb.accessor(primitive["indices"]).reshape(-1, 3)
        material = glb.json["materials"][primitive["material"]]
        shading = material["pbrMetallicRoughness"]
        pictures = {
            name: glb.picture(shading[name]) for name in ("baseColorTexture", "metallicRoughnessTexture")
        }
    except (ValueError, KeyError, IndexError, struct.error, OSError) as error:
        return [f"{type(error).__name__}: {error}"]
    found = []

    def see(holds: bool, text: str) -> None:
        if not holds:
            found.append(text)

    places, uvs = attributes["POSITION"], attributes["TEXCOORD_0"]
    see(0 < len(triangles) <= most_faces, f"it has {len(triangles)} faces")
    see(int(triangles.max()) < len(places), "a face names a vertex that is not there")
    see(len(uvs) == len(places) == len(attributes["NORMAL"]), "its vertices have other numbers of attributes")
    see(float(uvs.min()) >= 0 and float(uvs.max()) <= 1, "its texture's places are outside of the texture")
    away = abs(((places**2).sum(-1) ** 0.5) - radius).max()
    see(float(away) < 0.02, f"a vertex is {away:.3f} from the sphere")
    for name, picture in pictures.items():
        see(picture.size == (texture_size, texture_size), f"`{name}` has {picture.size} pixels")
        spread = [high - low for low, high in picture.getextrema()]
        see(max(spread) > 50, f"`{name}` has one colour: {picture.getextrema()}")
    see(material.get("alphaMode", "OPAQUE") == "OPAQUE", f"its alphaMode is {material.get('alphaMode')}")
    return found
