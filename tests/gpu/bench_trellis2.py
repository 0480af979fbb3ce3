"""TRELLIS.2 at its real size with random weights on one GPU: time and memory; run by bench-trellis2.

    bench_trellis2.py FOLDER [--parts LIST] [--resolutions LIST] [--finest] [--rounds N] [--seconds N]

FOLDER: for the image encoder's weights; the other models never leave the GPU. LIST of parts: of table (whole
jobs from a picture to a GLB, TRELLIS.2's own way beside ours), glb (the GLB of a shell of voxels with known
colours, both ways, part by part), low_vram and resident (the memory of jobs with each model on the GPU for its
stage alone, and with all of them), texturing (the same of a mesh that is given) and flows (a step by the number
of tokens, and both passes of guidance at once). `part:512:1024` is for these resolutions. --finest: `table` asks for as
many faces and texels as may be. --rounds: how often `table` samples.
--seconds: after so many no more is begun. The copy of TRELLIS.2 is one of tests/tiny_trellis2/source.sh:
whatever the weights say, the object is a striped sphere.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
import traceback
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "worker"), str(ROOT / "tests" / "tiny_trellis2")]
warnings.filterwarnings("ignore")

import trellis2_flows  # noqa: E402 the folders are only now on the path
import trellis2_glb  # noqa: E402
import trellis2_jobs  # noqa: E402
from budget import Budget  # noqa: E402
from trellis2_size import loaded, say, sphere, with_encoder  # noqa: E402
from trellis_worker import determinism  # noqa: E402
from trellis_worker.families import trellis2  # noqa: E402
from trellis_worker.families import trellis2_texturing as texturing  # noqa: E402


def measure(part: str, pipeline: Any, given: Any, budget: Budget) -> None:
    """One part; sides of grids may follow its name, behind colons."""
    out = given.folder / "model.glb"
    part, *own = part.split(":")
    resolutions = [int(side) for side in own or given.resolutions.split(",")]
    match part:
        case "table":
            for side in resolutions:
                finest = trellis2_glb.FINEST if given.finest else {}
                trellis2_jobs.compare(pipeline, {"resolution": side, **finest}, given.rounds, budget, out)
        case "glb":
            trellis2_glb.glb(pipeline, 1024 if 1024 in resolutions else resolutions[-1], budget, out)
        case "low_vram" | "resident":
            for side in resolutions:
                trellis2_jobs.memory(pipeline, side, part == "low_vram", budget, out)
        case "texturing":
            with_encoder(pipeline)
            mesh = sphere(trellis2_glb.RADIUS, given.folder / "given.safetensors")
            sides = [side for side in resolutions if side in texturing.RESOLUTIONS]
            for side, low in product(sides, (True, False)):
                trellis2_jobs.memory(pipeline, side, low, budget, out, mesh)
        case "flows":
            trellis2_flows.flows(pipeline)
        case _:
            raise ValueError(f"there is no part `{part}`")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", default="table,low_vram,resident,glb,flows")
    parser.add_argument("--resolutions", default="512,1024,1536")
    parser.add_argument("--finest", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=420)
    given = parser.parse_args()
    # What takes minutes says where it is.
    faulthandler.dump_traceback_later(90, repeat=True, file=sys.stdout)
    determinism.before_torch()
    trellis2.FAMILY.determinism()
    determinism.settings(torch)
    say(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    pipeline = loaded(given.folder)
    budget, failed = Budget(given.seconds), []
    for part in given.parts.split(","):
        started = time.monotonic()
        try:
            measure(part, pipeline, given, budget)
        except Exception:  # noqa: BLE001 what takes long to come to is measured all the same
            traceback.print_exc()
            failed.append(part)
        say(f"({part}: {time.monotonic() - started:.0f} s)")
    if failed:
        raise SystemExit(f"these parts failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
