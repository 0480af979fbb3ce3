"""Writes `.vxz` files without the compiled part of o-voxel, as its own reader takes them.

Format: `o_voxel/io/vxz.py` of Microsoft's TRELLIS.2. Voxels are in cubes of CHUNK a side, each with an octree (a
byte for each node, depth first, a bit for each child that there is) and, in the order of its leaves, the attributes.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

CHUNK, DEPTH = 256, 8


def write_vxz(
    file: str, coord: Any, attr: dict[str, Any], compression: str, compression_level: int, num_threads: int
) -> None:
    assert compression == "deflate" and num_threads >= 1
    places = coord.tolist()
    columns = {name: values.tolist() for name, values in attr.items()}
    assert all(0 <= value <= 255 for rows in columns.values() for row in rows for value in row)
    cubes: dict[tuple[int, ...], list[int]] = {}
    for row, place in enumerate(places):
        cubes.setdefault(tuple(value // CHUNK for value in place), []).append(row)

    def deflated(content: bytes) -> bytes:
        deflate = zlib.compressobj(compression_level, wbits=-15)
        return deflate.compress(content) + deflate.flush()

    body, chunks = b"", []
    for cube, rows in sorted(cubes.items()):
        rows.sort(key=lambda row: _code(places[row]))
        parts = {"svo": _octree([_code(places[row]) for row in rows])}
        for name, values in columns.items():
            parts[name] = bytes(value for row in rows for value in values[row])
        chunk: dict[str, Any] = {"idx": list(cube)}
        content = b""
        for name, part in parts.items():
            packed = deflated(part)
            chunk[name] = [len(content), len(packed)]
            content += packed
        chunk["ptr"] = [len(body), len(content)]
        body += content
        chunks.append(chunk)
    raw = len(places) * (12 + sum(len(rows[0]) for rows in columns.values()))
    header = {
        "num_voxel": len(places),
        "chunk_size": CHUNK,
        "filter": "none",
        "compression": compression,
        "compression_level": compression_level,
        "raw_size": raw,
        "compressed_size": len(body),
        "compress_ratio": raw / len(body),
        "attr_interleave": "as_is",
        "attr": [[name, len(rows[0])] for name, rows in columns.items()],
        "chunks": chunks,
    }
    text = json.dumps(header).encode("utf-8")
    Path(file).write_bytes(b"VXZ\0" + (8 + len(text)).to_bytes(4, "big") + text + body)


def _code(place: list[int]) -> int:
    """The way from the octree's root: three bits for each level, x before y before z."""
    code = 0
    for level in reversed(range(DEPTH)):
        for value in place:
            code = code << 1 | value >> level & 1
    return code


def _octree(codes: list[int]) -> bytes:
    """The nodes above these leaves, which come in order."""
    nodes: list[int] = []
    way = [-1] * DEPTH
    open_: list[int] = []
    for code in codes:
        steps = [code >> 3 * (DEPTH - 1 - level) & 7 for level in range(DEPTH)]
        same = next((level for level in range(DEPTH) if steps[level] != way[level]), DEPTH - 1)
        if not nodes:
            nodes.append(0)
            open_, same = [0], 0
        del open_[same + 1 :]
        for level in range(same, DEPTH):
            if level > same:
                nodes.append(0)
                open_.append(len(nodes) - 1)
            nodes[open_[level]] |= 1 << steps[level]
        way = steps
    return bytes(nodes)
