"""Runs jobs through a server whose workers have Microsoft's own TRELLIS code; run by real-trellis."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from check import Server, check, results, smi, until

# What TRELLIS imports beside torch, and the attribute or file that tells a stand-in from the real thing.
PACKAGES = (
    "torch", "torchvision", "transformers", "xformers", "spconv", "cumm", "kaolin", "nvdiffrast",
    "diff_gaussian_rasterization", "utils3d", "rembg", "pyvista", "pymeshfix", "igraph", "xatlas", "trimesh",
    "plyfile", "cv2", "imageio_ffmpeg",
)  # fmt: skip
FIND = """
import importlib.util, sys
from importlib import metadata
for name in sys.argv[1:]:
    found = importlib.util.find_spec(name)
    if found is None:
        print(f"  {name}: missing")
        continue
    names = metadata.packages_distributions().get(name) or [name]
    try:
        version = metadata.version(names[0])
    except metadata.PackageNotFoundError:
        version = "from source"
    print(f"  {name}: {'a stand-in' if 'stand_ins' in str(found.origin) else version}")
"""
STEPS = {"ss_sampling_steps": 12, "slat_sampling_steps": 12}
# What each format's file begins with.
MAGIC = {"glb": b"glTF", "stl": b"", "ply": b"ply\n", "gaussian_ply": b"ply\n", "turntable": b"\0\0\0"}


class Jobs:
    """Jobs at a server, and their results."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def run(self, what: str, formats: list[str], seed: int = 1, **more: Any) -> dict[str, str]:
        """Runs a job to its end and checks its files; their digests by format, empty where it failed."""
        started = time.monotonic()
        job = self.server.finished(self.server.submit(seed, formats=formats, **STEPS, **more))
        seconds = time.monotonic() - started
        if job["state"] != "succeeded":
            failure = job.get("failure") or {}
            check(False, f"{what}: {failure.get('kind')}: {failure.get('message')}")
            return {}
        files = {file["format"]: file for file in job["artifacts"]}
        digests = {}
        sizes = []
        for name in formats:
            url = f"{self.server.address}/v1/jobs/{job['id']}/artifacts/{files[name]['name']}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                content = answer.read()
            keep(files[name]["name"], content)
            if not content.startswith(MAGIC[name]):
                check(False, f"{what}: {name} begins with {content[:8]!r}")
                return {}
            digests[name] = hashlib.sha256(content).hexdigest()
            sizes.append(f"{name} {len(content)} bytes")
        peak = next((note for note in job["notes"] if "peak VRAM" in note), "")
        check(True, f"{what} in {seconds:.1f} s: {', '.join(sizes)}; {peak}")
        return digests

    def cancel(self) -> None:
        """A job that is cancelled in a sampler stops there."""
        job = self.server.submit(1, formats=["gaussian_ply"], ss_sampling_steps=50, slat_sampling_steps=50)
        until("a busy worker", lambda: True if self.server.worker()["state"] == "busy" else None)
        self.server.call("DELETE", f"/v1/jobs/{job}")
        pid = self.server.worker()["pid"]
        check(self.server.ready()["pid"] == pid, "a cancelled job leaves its worker as it was")


def keep(name: str, content: bytes) -> None:
    folder = os.environ.get("TRELLIS_KEEP")
    if folder:
        (Path(folder) / name).write_bytes(content)


def loaded(server: Server) -> None:
    started = time.monotonic()
    worker = server.ready()
    vram = worker["counters"]["vram_bytes"] / (1 << 20)
    check(True, f"all models are loaded after {time.monotonic() - started:.0f} s: {vram:.0f} MiB VRAM")


def high(server: Server) -> dict[str, str]:
    """Every way through the pipeline; the digests of one job."""
    loaded(server)
    jobs = Jobs(server)
    first = jobs.run("image encoder, both samplers, Gaussian decoder", ["gaussian_ply"])
    jobs.run("mesh decoder", ["ply"])
    again = jobs.run("the same job again", ["gaussian_ply"])
    check(bool(first) and first == again, "gives the same bytes")
    other = jobs.run("another seed", ["gaussian_ply"], seed=2)
    check(bool(other) and first != other, "gives others")
    for mode in ("stochastic", "multidiffusion"):
        jobs.run(f"three pictures, {mode}", ["gaussian_ply"], pictures=3, multiimage_algo=mode)
    after = jobs.run("one picture after those", ["gaussian_ply"])
    check(bool(after) and first == after, "gives the same bytes still")
    jobs.cancel()
    jobs.run("mesh simplified and its holes filled", ["stl"])
    jobs.run("views rendered", ["turntable"])
    jobs.run("texture baked", ["glb"], texture_size=512)
    return first


def main(trellis: str, work: Path) -> int:
    name, driver, capability = smi("name,driver_version,compute_cap")
    print(f"GPU: {name}, driver {driver}, capability {capability}")
    print("packages:", flush=True)
    subprocess.run([work / "python", "-c", FIND, *PACKAGES], check=True)
    digests = []
    for mode in ([], ["--low-vram"]):
        home = work / f"home{len(mode)}"
        home.mkdir()
        print(" ".join(["--", *(mode or ["all models on the GPU"])]), flush=True)
        server = Server(trellis, work / "python", home, work / "model", *mode)
        try:
            if mode:
                loaded(server)
                digests.append(Jobs(server).run("a job in low-VRAM mode", ["gaussian_ply"]))
            else:
                digests.append(high(server))
        except (TimeoutError, urllib.error.URLError, RuntimeError) as error:
            check(False, str(error))
            print(json.dumps(server.worker()) if server.process.poll() is None else "the server is gone")
        finally:
            server.process.terminate()
            server.process.wait(60)
            log = (home / "log").read_text()
            keep(f"log{len(mode)}.txt", log.encode())
    check(bool(digests[0]) and digests[0] == digests[-1], "gives the same bytes as with all models there")
    failed = sum(not holds for holds, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
