"""A server with everything that clients of others need switched on, and a picture to send."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

import requests


def picture(side: int = 96) -> bytes:
    """A PNG of a dark disc on white."""
    rows = b""
    for y in range(side):
        row = bytearray()
        for x in range(side):
            inside = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side * 0.35) ** 2
            row += bytes((180, 40 + y % 60, 60) if inside else (255, 255, 255))
        rows += b"\0" + bytes(row)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = picture()
BASE64 = base64.b64encode(PICTURE).decode()
URI = "data:image/png;base64," + BASE64


class WithServer(unittest.TestCase):
    """Starts one server for all tests of a class."""

    flags: tuple[str, ...] = ()
    #: With these, one worker of the stand-in for TRELLIS that does what they say (tests/fake_trellis); else the preview.
    rules: list[dict[str, object]] | None = None

    @classmethod
    def backend(cls) -> list[str]:
        if cls.rules is None:
            return ["--backend", "relief"]
        stand_in = Path("tests/fake_trellis").resolve()
        model = cls.folder / "model"
        subprocess.run([sys.executable, stand_in / "model.py", model], check=True)
        (model / "script.json").write_text(json.dumps(cls.rules))
        (cls.folder / ".cache").mkdir()
        (model / "torch").rename(cls.folder / ".cache/torch")
        worker = ["--model", str(model), "--python", str(stand_in / "python"), "--gpus", "unchecked:1"]
        return [*worker, "--warm-up=false", "--default-quality=exact", "--skip-doctor"]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="compat-"))
        command = [os.environ["TRELLIS"], "serve", "--port", "0", "--data-dir", str(cls.folder / "data"), *cls.backend()]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("TRELLIS_")}
        if cls.rules is not None:
            variables["HOME"] = str(cls.folder)
        cls.log = (cls.folder / "log").open("w+")
        cls.process = subprocess.Popen(
            [*command, *cls.flags], stdout=subprocess.PIPE, stderr=cls.log, text=True, env=variables
        )
        assert cls.process.stdout
        for line in cls.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                cls.base = found.group(0)
                return
        cls.log.seek(0)
        raise RuntimeError(f"the server did not start: {cls.log.read()[-2000:]}")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.process.kill()
        cls.process.wait()
        assert cls.process.stdout
        cls.process.stdout.close()
        cls.log.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(self.base + path, timeout=60, **options)

    def post(self, path: str, **options: object) -> requests.Response:
        return requests.post(self.base + path, timeout=300, **options)

    def assert_glb(self, glb: bytes) -> None:
        magic, version, length = struct.unpack("<4sII", glb[:12])
        self.assertEqual((magic, version, length), (b"glTF", 2, len(glb)))
