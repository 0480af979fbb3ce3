"""Fills in FlexGEMM's record of its tuning, so that a test need not wait for it.

    tuned.py FILE

Without it FlexGEMM compiles and times eight kernels for each size and each way to split its sums: for the few
channels here 320 for a job at 512, which takes minutes. What the file holds already stays. The package
`torch` must be importable, and a GPU be there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "worker"))

from model import DECODER, REAL_DECODER, SHAPE_ENCODER  # noqa: E402
from trellis_worker.families.trellis2_texturing import PUBLISHED  # noqa: E402 the folder is only now on the path

KERNELS = "flex_gemm.kernels.triton.spconv.sparse_submanifold_conv_fwd_masked_implicit_gemm"
# The logarithms of how many voxels a level has.
SIZES = range(6, 24)
NEIGHBOURS = 27
# A tile of a wide convolution, and of others.
WIDE = {"B1": 128, "B2": 256, "BK": 64}, 8, 3
NARROW = {"B1": 128, "B2": 64, "BK": 32}, 4, 4


def tile(channels: int) -> dict[str, Any]:
    blocks, warps, stages = WIDE if channels >= WIDE[0]["B2"] else NARROW
    launch = {"num_warps": warps, "num_ctas": 1, "num_stages": stages}
    return {"kwargs": blocks, **launch, "maxnreg": None, "pre_hook": None, "ir_override": None}


def parts(size: int, channels: int) -> int:
    """In how many parts the sums are: as an H200's tuning had them for the channels of TRELLIS.2-4B."""
    work = size + channels.bit_length() - 1
    return 4 if work <= 22 else 2 if work == 23 else 1


def key(*values: Any, result: str) -> str:
    half = "torch.float16"
    return str((*values, True, half, half, half, "torch.uint32", "torch.int64", result))


def convolutions() -> Iterator[tuple[int, int]]:
    """The channels that a convolution is given and makes."""
    for wide in (DECODER["model_channels"], REAL_DECODER["model_channels"]):
        for here, below in pairwise(wide):
            yield from ((here, here), (here, 8 * below), (below, below))
    for wide in (SHAPE_ENCODER[2]["model_channels"], PUBLISHED["args"]["model_channels"]):
        for here, below in pairwise(wide):
            yield from ((here, below // 8), (below, below))


def record() -> dict[str, dict[str, Any]]:
    whole: dict[str, Any] = {}
    split: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    for (given, made), size in product(set(convolutions()), SIZES):
        shape = size, given, made, NEIGHBOURS
        count = parts(size, made)
        chosen[f"(2^{size}, {given}, {made}, {NEIGHBOURS})"] = {"SPLITK": count}
        if count == 1:
            whole[key(*shape, result="torch.float16")] = tile(made)
        else:
            split[key(*shape, count, result="torch.float32")] = tile(made)
    outer = KERNELS.rpartition(".")[2]
    return {
        f"{KERNELS}.{outer}_kernel": whole,
        f"{KERNELS}_splitk.{outer}_splitk_kernel": split,
        f"{KERNELS}_splitk.{outer}_splitk": chosen,
    }


def main(file: Path) -> None:
    kept = json.loads(file.read_text("utf-8")) if file.exists() else {}
    ours = kept.setdefault(torch.cuda.get_device_name(), {})
    for kernel, found in record().items():
        ours[kernel] = {**found, **ours.get(kernel, {})}
    file.write_text(json.dumps(kept), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
