"""Runs tests/gpu/bench_trellis2.py on the processor, with tiny models. What it measures means nothing, but
all of it is run. What TRELLIS.2's `to_glb` calls on a GPU does nothing here, and a `to_glb` of ours makes the
GLB.

    bench_on_cpu.py FOLDER [OPTIONS OF bench_trellis2.py]
"""

from __future__ import annotations

import sys
import threading
import types
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("tests/gpu", "worker", "tests/tiny_trellis2")]


def nothing(*_args: Any, **_options: Any) -> None:
    """Has no GPU to do it on."""


class Atlas:
    """As much of xatlas as is timed."""

    add_mesh = compute_charts = pack_charts = get_mesh = nothing


def without_a_gpu() -> None:
    """torch's functions for GPUs do nothing, and say 0."""
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        setattr(torch.cuda, name, nothing)
    for name in ("memory_allocated", "max_memory_allocated", "memory_reserved"):
        setattr(torch.cuda, name, lambda *_device: 0)
    torch.cuda.set_per_process_memory_fraction = nothing
    torch.cuda.get_device_properties = lambda *_device: types.SimpleNamespace(total_memory=1 << 40)
    torch.cuda.get_device_name = lambda *_device: "no GPU"
    torch.Tensor.cuda = lambda self, *_args, **_options: self


def modules() -> None:
    """What of o-voxel, CuMesh, nvdiffrast and OpenCV is timed in TRELLIS.2's own way."""
    import cumesh
    from trellis_worker.deferred import defer

    for name in ("uv_unwrap", "compute_charts", "compute_vertex_normals"):
        setattr(cumesh.CuMesh, name, nothing)
    cumesh.cuBVH = type("cuBVH", (), {"unsigned_distance": nothing})
    inner = types.ModuleType("cumesh.cumesh")
    inner.Atlas = Atlas
    sys.modules["cumesh.cumesh"] = inner
    # As o-voxel finds it: not imported before something of it is called.
    defer("nvdiffrast.torch")
    postprocess = types.ModuleType("o_voxel.postprocess")
    import nvdiffrast.torch as dr

    postprocess.dr, postprocess.cumesh, postprocess.tqdm = dr, cumesh, None
    postprocess.cv2 = types.ModuleType("cv2")
    postprocess.cv2.inpaint = nothing
    postprocess.grid_sample_3d = nothing
    postprocess.to_glb = to_glb
    sys.modules["o_voxel.postprocess"] = postprocess


def to_glb(**asked: Any) -> Any:
    """Takes what TRELLIS.2's takes."""
    from o_voxel import postprocess
    from trellis_worker.stages import Stages
    from trellis_worker.texture import pbr

    bar = postprocess.tqdm(total=6, desc="as it does")
    for _ in range(6):
        bar.update(1)
    postprocess.dr.rasterize(None)
    postprocess.cv2.inpaint(None)
    mesh = types.SimpleNamespace(
        **{name: asked[name] for name in ("vertices", "faces", "coords", "voxel_size")},
        attrs=asked["attr_volume"],
        layout=asked["attr_layout"],
        origin=torch.tensor(asked["aabb"][0]),
    )
    stages = Stages(nothing, threading.Event(), nothing)
    wish = pbr.Asked(asked["decimation_target"], asked["texture_size"], asked["remesh"])
    return pbr.to_glb(mesh, wish, stages)


def main() -> None:
    without_a_gpu()
    modules()
    import bench_trellis2
    import model as generator
    import trellis2_flows
    import trellis2_glb
    import trellis2_size

    small = {"dtype": "float32", "use_fp16": False}
    generator.real_arguments = lambda _part, arguments: {
        key: small.get(key, value) for key, value in arguments.items()
    }
    whole = generator.encoder
    generator.encoder = lambda _size: whole("tiny")
    for module in (trellis2_size, trellis2_flows):
        module.DEVICE = torch.device("cpu")
    usual = trellis2_size.params
    few = {"ss_sampling_steps": 2, "shape_slat_sampling_steps": 2, "tex_slat_sampling_steps": 2}
    coarse = {"texture_size": 128, "decimation_target": 2000, "remesh": False}

    def params(**own: Any) -> Any:
        return usual(**{**few, **own, **coarse})

    for module in (trellis2_glb, sys.modules["trellis2_jobs"]):
        module.params = params
    trellis2_glb.ASKED = trellis2_glb.ASKED[:1]
    trellis2_flows.TOKENS = (50, 100)
    # What DINOv3 says, of the tiny encoder's size.
    trellis2_flows.CHANNELS = generator.COND["tiny"]
    bench_trellis2.main()


if __name__ == "__main__":
    main()
