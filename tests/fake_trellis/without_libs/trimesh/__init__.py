"""A stand-in for trimesh: small but valid files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any


class Trimesh:
    """A mesh of vertices, faces and, in a GLB, one colour."""

    def __init__(
        self,
        vertices: Any,
        faces: Any,
        vertex_colors: Any = None,
        process: bool = True,
        colour: int = 0,
        padding: int = 0,
    ) -> None:
        self.vertices = vertices.tolist() if hasattr(vertices, "tolist") else vertices
        self.faces = faces.tolist() if hasattr(faces, "tolist") else faces
        self.vertex_colors = None if vertex_colors is None else vertex_colors.tolist()
        self.colour = colour
        self.padding = padding

    def apply_scale(self, factor: float) -> None:
        self.vertices = [[value * factor for value in vertex] for vertex in self.vertices]

    def apply_translation(self, by: list[float]) -> None:
        self.vertices = [[a + b for a, b in zip(vertex, by, strict=True)] for vertex in self.vertices]

    def export(self, path: str, file_type: str, extension_webp: bool = False) -> None:
        assert file_type == "glb" or not extension_webp
        write = {"glb": self._glb, "stl": self._stl, "ply": self._ply}[file_type]
        Path(path).write_bytes(write())

    def _stl(self) -> bytes:
        triangles = [
            struct.pack("<3f", 0, 0, 0)
            + b"".join(struct.pack("<3f", *self.vertices[i]) for i in face)
            + b"\0\0"
            for face in self.faces
        ]
        return b"\0" * 80 + struct.pack("<I", len(triangles)) + b"".join(triangles)

    def _ply(self) -> bytes:
        lines = ["ply", "format ascii 1.0", f"element vertex {len(self.vertices)}"]
        lines += [f"property float {axis}" for axis in "xyz"]
        if self.vertex_colors:
            lines += [f"property uchar {channel}" for channel in ("red", "green", "blue")]
        lines += [f"element face {len(self.faces)}", "property list uchar int vertex_indices", "end_header"]
        colours = self.vertex_colors or [[] for _ in self.vertices]
        for vertex, colour in zip(self.vertices, colours, strict=True):
            lines.append(" ".join(str(value) for value in [*vertex, *colour]))
        lines += [f"3 {' '.join(map(str, face))}" for face in self.faces]
        return "\n".join([*lines, ""]).encode("ascii")

    def _glb(self) -> bytes:
        positions = b"".join(struct.pack("<3f", *vertex) for vertex in self.vertices)
        indices = b"".join(struct.pack("<3I", *face) for face in self.faces)
        channels = [(self.colour >> shift & 255) / 255 for shift in (16, 8, 0)]
        columns = list(zip(*self.vertices, strict=True))
        document = {
            "asset": {"version": "2.0", "generator": "a stand-in"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
            "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [*channels, 1]}}],
            "buffers": [{"byteLength": len(positions) + len(indices) + self.padding}],
            "bufferViews": [
                {"buffer": 0, "byteLength": len(positions), "target": 34962},
                {"buffer": 0, "byteOffset": len(positions), "byteLength": len(indices), "target": 34963},
            ],
            "accessors": [
                {
                    "bufferView": 0,
                    "componentType": 5126,
                    "count": len(self.vertices),
                    "type": "VEC3",
                    "min": [min(column) for column in columns],
                    "max": [max(column) for column in columns],
                },
                {"bufferView": 1, "componentType": 5125, "count": len(self.faces) * 3, "type": "SCALAR"},
            ],
        }
        text = json.dumps(document).encode("utf-8")
        text += b" " * (-len(text) % 4)
        body = positions + indices + bytes(self.padding)
        total = 12 + 8 + len(text) + 8 + len(body)
        head = struct.pack("<4sII", b"glTF", 2, total)
        return (
            head
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(body), b"BIN\0")
            + body
        )
