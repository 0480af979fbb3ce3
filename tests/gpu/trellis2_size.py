"""TRELLIS.2 at its real size on a GPU, with random weights, and jobs for it; for bench_trellis2.py."""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import model as generator
import torch
from budget import BEGUN
from flows import GIB, Clock, disc
from safetensors.torch import save_file
from trellis_worker import determinism, graphs
from trellis_worker.checkpoints import replaced
from trellis_worker.families import trellis2
from trellis_worker.families import trellis2_texturing as texturing
from trellis_worker.family import Run
from trellis_worker.placement import Placement, bind_device
from trellis_worker.protocol import Format, Params, Stage
from trellis_worker.quality import Quality

ROOT = Path(__file__).resolve().parents[2]
DEVICE = torch.device("cuda")


def say(text: str) -> None:
    print(text, flush=True)


def params(**own: Any) -> Params:
    """Of a job that asks for a GLB, as the server fills them in."""
    snapshot = ROOT / "crates/trellis-core/src/params/snapshots"
    text = (snapshot / "trellis_core__params__tests__defaults_are_trellis_own.snap").read_text("utf-8")
    usual = json.loads(text.split("---\n", 2)[2])[1]
    return Params(
        model="trellis2-4b",
        seed=1,
        formats=(Format.GLB,),
        texture=True,
        remove_background=False,
        stl_size_mm=100.0,
        own={**usual, **own},
    )


def loaded(folder: Path) -> Any:
    """The pipeline with models of the real size, made on the GPU."""
    table = {file: (part, name, arguments) for part, file, name, arguments in generator.MODELS}

    def load(_models: Any, path: Path, _name: str) -> Any:
        part, name, arguments = table[path.name]
        with torch.device(DEVICE):
            return generator.made(name, generator.real_arguments(part, arguments))

    # As the server sets it for its workers.
    os.environ.setdefault(graphs.VARIABLE, "on")
    started = time.monotonic()
    torch.manual_seed(1)
    if not (folder / "dinov3" / "model.safetensors").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with torch.device(DEVICE):
            generator.encoder("real").save_pretrained(folder / "dinov3")
        generator.write_pipeline(folder)
    with (
        replaced(trellis2, "load_strictly", load),
        replaced(trellis2, "checkpoint", lambda _at, name: Path(name)),
    ):
        pipeline = trellis2.FAMILY.load(folder, Quality.BALANCED, lambda *_report: None)
    bind_device(pipeline, DEVICE)
    placed(pipeline, False)
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated() / GIB
    say(f"models made in {time.monotonic() - started:.0f} s: {held:.2f} GiB on the GPU")
    return pipeline


class Told(Clock):
    """Says each stage as it begins."""

    def enter(self, stage: Stage, total: int = 1) -> None:
        super().enter(stage, total)
        say(f"     {time.monotonic() - BEGUN:.1f} s: {stage.value}")


def placed(pipeline: Any, low_vram: bool) -> Placement:
    placement = Placement(pipeline.models, DEVICE, torch.cuda.empty_cache)
    placement.choose(low_vram)
    return placement


def decoded(
    pipeline: Any, clock: Clock, job: Params, placement: Placement, mesh: Path | None = None
) -> Any:
    determinism.seed_all(torch, job.seed)
    return trellis2.FAMILY.sample(Run(pipeline, placement, clock, job, mesh), [disc()])


def with_encoder(pipeline: Any) -> None:
    """Gives the pipeline what texturing a mesh needs."""
    with torch.device(DEVICE):
        encoder = generator.made(texturing.PUBLISHED["name"], texturing.PUBLISHED["args"])
    # It is added last, as `load` does it: it is no module of torch.
    features = pipeline.models.pop(trellis2.IMAGE_ENCODER)
    texturing.attach(pipeline, encoder)
    pipeline.models[trellis2.IMAGE_ENCODER] = features


def sphere(radius: float, path: Path) -> Path:
    """A sphere of 81,920 faces, as the server writes a mesh for its workers."""
    made = importlib.import_module("trimesh").creation.icosphere(6, radius)
    mesh = {"vertices": torch.tensor(made.vertices).float(), "faces": torch.tensor(made.faces).int()}
    save_file(mesh, path)
    return path
