"""A picture to work on, and the record that a GLB carries; no word of ours in between."""

import json
import struct
import zlib

SIDE = 96


def write(path: str) -> None:
    """Writes a PNG of a disc on a plain ground."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    def pixel(x: int, y: int) -> bytes:
        inside = (x - SIDE // 2) ** 2 + (y - SIDE // 2) ** 2 < (SIDE // 3) ** 2
        return bytes((200, 90, 40)) if inside else bytes((245, 245, 245))

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(SIDE)) for y in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header))
        file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def record(path: str) -> str:
    """The JSON of `asset.extras.provenance`."""
    with open(path, "rb") as file:
        head = file.read(20)
        text = file.read(struct.unpack("<I", head[12:16])[0])
    return json.dumps(json.loads(text)["asset"]["extras"]["provenance"])
