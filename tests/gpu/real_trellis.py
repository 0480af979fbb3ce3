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
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
        timings = job["timings"]
        stages = ", ".join(f"{time['stage']} {time['ms'] / 1000:.2f} s" for time in timings["stages"])
        peak = timings["peak_vram_bytes"] / (1 << 30)
        check(True, f"{what} in {seconds:.1f} s: {', '.join(sizes)}; peak VRAM {peak:.1f} GiB; {stages}")
        return digests

    def cancel(self) -> None:
        """A job that is cancelled in a sampler stops there."""
        job = self.server.submit(1, formats=["gaussian_ply"], ss_sampling_steps=50, slat_sampling_steps=50)
        until("a busy worker", lambda: True if self.server.worker()["state"] == "busy" else None)
        self.server.call("DELETE", f"/v1/jobs/{job}")
        pid = self.server.worker()["pid"]
        check(self.server.ready()["pid"] == pid, "a cancelled job leaves its worker as it was")


def said(what: str, same: bool) -> None:
    """What CUDA leaves open is told and not checked."""
    print("      ", what, "the same bytes" if same else "other bytes", flush=True)


def keep(name: str, content: bytes) -> None:
    folder = os.environ.get("TRELLIS_KEEP")
    if folder:
        (Path(folder) / name).write_bytes(content)


def loaded(server: Server) -> None:
    started = time.monotonic()
    worker = server.ready()
    vram = worker["counters"]["vram_bytes"] / (1 << 20)
    check(True, f"all models are loaded after {time.monotonic() - started:.0f} s: {vram:.0f} MiB VRAM")


def formats(jobs: Jobs) -> None:
    """Every format once cold and once warm, the GLB with TRELLIS's own texture size."""
    for format_ in MAGIC:
        more = {"texture_size": 1024} if format_ == "glb" else {}
        jobs.run(f"{format_}", [format_], **more)
        jobs.run(f"{format_} again", [format_], **more)


def everything(jobs: Jobs, first: dict[str, str]) -> None:
    """Every other way through the pipeline; `first` is what the first job gave."""
    jobs.run("mesh decoder", ["ply"])
    other = jobs.run("another seed", ["gaussian_ply"], seed=2)
    check(bool(other) and first != other, "gives other bytes")
    for mode in ("stochastic", "multidiffusion"):
        jobs.run(f"three pictures, {mode}", ["gaussian_ply"], pictures=3, multiimage_algo=mode)
    after = jobs.run("one picture after those", ["gaussian_ply"])
    check(bool(after) and first == after, "gives the same bytes as before")
    jobs.cancel()
    jobs.run("mesh simplified and its holes filled", ["stl"])
    jobs.run("views rendered", ["turntable"])
    jobs.run("texture baked", ["glb"], texture_size=512)


# An environment with its own interpreter that imports what the launcher does, TRELLIS too: the doctor runs the
# interpreter of the environment that it judges, with no variables of ours.
ENVIRONMENT = """
import sys, sysconfig, venv
from pathlib import Path
folder = Path(sys.argv[1])
venv.create(folder, symlinks=True)
site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
site.joinpath("launcher.pth").write_text("\\n".join(path for path in sys.path if path and Path(path).is_dir()))
"""


def probe(
    trellis: str, work: Path, python: str, *flags: str | Path, without: str | None = None, **variables: str
) -> None:
    """The steps of `trellis doctor --probe` in the environment of a launcher. The first import of TRELLIS compiles.
    `without`: the one step that may be left out."""
    prefix = work / "environment"
    subprocess.run([work / python, "-c", ENVIRONMENT, prefix], check=True)
    command = [trellis, "doctor", "--env", prefix, "--json", "--probe", "--probe-seconds", "400", *flags]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if not done.stdout:
        check(False, f"the doctor reports: {done.stderr.strip()}")
        return
    keep("doctor.json", done.stdout.encode())
    findings = json.loads(done.stdout)["findings"]
    levels = Counter(finding["level"] for finding in findings)
    print("       the doctor finds", ", ".join(f"{number} {level}" for level, number in levels.items()))
    steps = [finding for finding in findings if finding["check"] == "probe"]
    for step in steps:
        if step["kind"] == "probe_left_out" and step["subject"] == without:
            print(f"       probe: {without} {step['message']}")
            continue
        lines = step["evidence"] if step["level"] == "ok" else step["evidence"][-5:]
        works = step["kind"] == "probe_works"
        check(works, "; ".join([f"probe: {step['subject']} {step['message']}", *lines]))
    ran = sum(step["kind"] != "probe_left_out" for step in steps)
    check(ran > 0, f"the probe ran {ran} steps")


def measured(trellis: str, work: Path) -> None:
    """Models of the real size: every format in both modes, warmed up as by default, then the probe."""
    for number, flags in enumerate((["--warm-up=true"], ["--warm-up=true", "--low-vram"])):
        print("--", "low-VRAM mode" if "--low-vram" in flags else "all models on the GPU", flush=True)
        with running(trellis, work, number, flags) as server:
            loaded(server)
            print("       /v1/version:", json.dumps(server.call("GET", "/v1/version")), flush=True)
            formats(Jobs(server))
    home = {"TORCH_HOME": str(work / "model" / "torch"), "XFORMERS_DISABLED": "1"}
    probe(trellis, work, "python", "--model", work / "model", **home)


@contextmanager
def running(trellis: str, work: Path, number: int, flags: list[str]) -> Iterator[Server]:
    """A server whose troubles become a failed check."""
    home = work / f"home{number}"
    home.mkdir()
    server = Server(trellis, work / "python", home, work / "model", *flags)
    try:
        yield server
    except (TimeoutError, urllib.error.URLError, RuntimeError) as error:
        check(False, str(error))
        print(json.dumps(server.worker()) if server.process.poll() is None else "the server is gone")
    finally:
        server.process.terminate()
        server.process.wait(60)
        keep(f"log{number}.txt", (home / "log").read_bytes())


def repeated(trellis: str, work: Path) -> None:
    """Tiny models: every way through the pipeline, and what repeats."""
    digests = []
    modes = [("all models on the GPU", []), ("another process", []), ("low-VRAM mode", ["--low-vram"])]
    for number, (mode, flags) in enumerate(modes):
        print(f"-- {mode}", flush=True)
        with running(trellis, work, number, ["--warm-up=false", *flags]) as server:
            loaded(server)
            jobs = Jobs(server)
            digests.append(jobs.run("image encoder, both samplers, Gaussian decoder", ["gaussian_ply"]))
            again = jobs.run("the same job again", ["gaussian_ply"])
            check(bool(again) and again == digests[-1], "gives the same bytes")
            if number == 0:
                everything(jobs, again)
            else:
                baked = [jobs.run("texture baked", ["glb"], texture_size=512) for _ in range(2)]
                said("a GLB made again has", baked[0] == baked[1])
    if len(digests) == len(modes):
        said("another process gives", digests[0] == digests[1])
        said("low-VRAM mode gives", digests[0] == digests[2])


def main(trellis: str, work: Path, real_size: bool) -> int:
    name, driver, capability = smi("name,driver_version,compute_cap")
    print(f"GPU: {name}, driver {driver}, capability {capability}")
    print("packages:", flush=True)
    subprocess.run([work / "python", "-c", FIND, *PACKAGES], check=True)
    (measured if real_size else repeated)(trellis, work)
    failed = sum(not holds for holds, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), "--real-size" in sys.argv[3:]))
