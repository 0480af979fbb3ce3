"""One server, one queue, two models: TRELLIS.2's own classes, tiny, and the stand-in for TRELLIS, whose own
code does not get past its first sparse convolution without a GPU.

TRELLIS_BIN names the server's program, else it is that of a debug build.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import unittest
import urllib.request
from pathlib import Path
from typing import Any

from kit import ROOT, disc
from tiny import FEW_STEPS, TinyCase

TRELLIS = Path(os.environ.get("TRELLIS_BIN", ROOT / "target/debug/trellis"))
FAKE = ROOT / "tests" / "fake_trellis"
LIMIT_SECONDS = 600
ENDS = ("succeeded", "failed", "cancelled")


@unittest.skipUnless(TRELLIS.is_file(), f"there is no {TRELLIS}")
class OneServer(TinyCase):
    radius = 0.12

    def setUp(self) -> None:
        super().setUp()
        disc(self.folder / "picture.png")
        first = self.folder / "first"
        subprocess.run([sys.executable, FAKE / "model.py", first], check=True)
        second = self.launcher()
        command = [TRELLIS, "serve", "--port", "0", "--data-dir", self.folder / "data", "--skip-doctor"]
        command += ["--model", first, "--python", FAKE / "python", "--gpus", "unchecked:1"]
        command += ["--trellis2-model", self.made / "model", "--trellis2-python", second]
        command += ["--trellis2-gpus", "unchecked:1", "--warm-up=false", "--default-quality=exact"]
        environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "TORCH_HOME": str(first / "torch"),
        }
        log = (self.folder / "log").open("w")
        self.addCleanup(log.close)
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        self.addCleanup(server.wait, timeout=60)
        self.addCleanup(server.terminate)
        assert server.stdout is not None
        self.addCleanup(server.stdout.close)
        found = next(filter(None, (re.search(r"http://\S+", line) for line in server.stdout)), None)
        assert found is not None, (self.folder / "log").read_text()
        self.address = found[0]

    def launcher(self) -> Path:
        """An interpreter that finds TRELLIS.2; a worker gets nothing of this process's environment."""
        path = self.folder / "python"
        folders = ":".join(map(str, self.places))
        variables = "\n".join(f"export {name}='{value}'" for name, value in self.variables.items())
        path.write_text(
            f'#!/bin/sh\nexport PYTHONPATH="$PYTHONPATH:{folders}"\n{variables}\nexec {sys.executable} "$@"\n'
        )
        path.chmod(0o755)
        return path

    def call(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{self.address}/v1/jobs{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def submitted(self, model: str, seed: int, **params: Any) -> str:
        picture = base64.b64encode((self.folder / "picture.png").read_bytes()).decode()
        wish = {"seed": seed, "model": model, "formats": ["stl"], **params}
        body = {"images": [f"data:image/png;base64,{picture}"], "params": wish, "backend": "trellis"}
        return str(self.call("", body)["id"])

    def ended(self, job: str) -> dict[str, Any]:
        until = time.monotonic() + LIMIT_SECONDS
        while (told := dict(self.call(f"/{job}")))["state"] not in ENDS:
            self.assertLess(time.monotonic(), until, (self.folder / "log").read_text()[-4000:])
            time.sleep(0.2)
        return told

    def test_jobs_of_both_models_leave_one_queue(self) -> None:
        import trimesh

        jobs = []
        for seed in (1, 2):
            jobs.append(self.submitted("trellis-image-large", seed))
            jobs.append(self.submitted("trellis2-4b", seed, resolution=512, **FEW_STEPS))
        for job, made_by in zip(jobs, ["trellis", "trellis2"] * 2, strict=True):
            told = self.ended(job)
            self.assertEqual((told["state"], told.get("made_by")), ("succeeded", made_by), told)
            with urllib.request.urlopen(f"{self.address}/v1/jobs/{job}/artifacts/model.stl") as answer:
                solid = answer.read()
            if made_by == "trellis2":
                path = self.folder / "model.stl"
                path.write_bytes(solid)
                self.assertTrue(trimesh.load(path, process=True).is_watertight, "it is the sphere")
