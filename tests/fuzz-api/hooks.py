"""Pictures for requests: bytes at random would hardly ever be one, and a schema cannot ask for one."""

import base64
import struct
import zlib

import schemathesis
from hypothesis import strategies as st


def png(width: int, height: int, grey: int) -> bytes:
    """A grey PNG with a darker object in its middle."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    def row(y: int) -> bytes:
        inside = height // 4 <= y < height - height // 4
        edge = width // 4
        middle = bytes([grey // 2 if inside else grey]) * (width - 2 * edge)
        return b"\0" + bytes([grey]) * edge + middle + bytes([grey]) * edge

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(row(y) for y in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


pictures = st.builds(png, st.integers(1, 24), st.integers(1, 24), st.integers(0, 255))

schemathesis.openapi.format("binary", pictures)
schemathesis.openapi.format(
    "picture-data-uri",
    pictures.map(lambda content: "data:image/png;base64," + base64.b64encode(content).decode()),
)
