"""The measurements of TRELLIS.2 on a GPU, run on the processor: each part ends, and says what it is to say.

TRELLIS2_SOURCE names a checkout of microsoft/TRELLIS.2; the packages must have transformers.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from kit import PACKAGES
from tiny import SOURCE, TINY, VARIABLES

NEEDED = ("transformers", "fast_simplification")


@unittest.skipUnless(SOURCE, "TRELLIS2_SOURCE names no checkout of microsoft/TRELLIS.2")
@unittest.skipUnless(all(map(importlib.util.find_spec, NEEDED)), f"{NEEDED} are not installed")
class Bench(unittest.TestCase):
    def run_parts(self, *options: str) -> str:
        with tempfile.TemporaryDirectory(prefix="trellis2-bench-") as name:
            folder = Path(name)
            subprocess.run([TINY / "source.sh", str(SOURCE), folder / "source", "cpu"], check=True)
            # Only tests import it.
            drawing = folder / "drawing" / "nvdiffrast"
            drawing.mkdir(parents=True)
            (drawing / "__init__.py").touch()
            text = "def rasterize(*_args): pass\ninterpolate = rasterize\n"
            (drawing / "torch.py").write_text(text, "utf-8")
            places = [folder / "source", folder / "drawing", TINY / "stand_ins", TINY / "attention", PACKAGES]
            places += map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(":")))
            variables = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, places)), **VARIABLES}
            variables["TRELLIS_SPHERE_RADIUS"] = "0.05"
            script = Path(__file__).with_name("bench_on_cpu.py")
            command = [sys.executable, "-W", "ignore", script, folder / "model", *options]
            ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
            self.assertEqual(ran.returncode, 0, ran.stdout[-4000:] + ran.stderr[-4000:])
            self.assertNotIn("Traceback", ran.stderr, ran.stdout[-4000:])
            return ran.stdout

    def test_both_ways_stand_side_by_side(self) -> None:
        options = ("--resolutions", "512", "--rounds", "2", "--seconds", "3600")
        said = self.run_parts("--parts", "table,glb,low_vram,resident,flows", *options)
        for row in (
            "sparse structure",
            "texture latent",
            "a picture to a GLB",
            "most memory, the GLB",
            "PSNR, base colour",
            "GLB at 512, defaults",
        ):
            self.assertRegex(said, rf"\| {row} \| [\d.]+ \w+ \| [\d.]+ \w+ \|")
        self.assertRegex(said, r"latents 3: largest difference \S+, mean \S+, of values up to [1-9\d]")
        self.assertIn("nvdiffrast.torch.rasterize", said)
        for way in ("low VRAM", "all models"):
            self.assertIn(f"512, {way}: 0.00 GiB at most by torch", said)
        self.assertRegex(said, r"\| two passes, ours: shape's latent, 100 tokens \| [\d.]+ s, .* as it is \|")
        self.assertNotIn("left out", said)

    def test_what_would_take_too_long_is_left_out(self) -> None:
        said = self.run_parts("--parts", "table", "--resolutions", "512,1024", "--seconds", "0")
        for way in ("balanced", "exact"):
            for side in (512, 1024):
                self.assertIn(f"left out: {side}, {way}", said)


if __name__ == "__main__":
    unittest.main()
