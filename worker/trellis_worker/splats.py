"""Writes splats as TRELLIS's `save_ply` does, byte for byte, without a Python object for each number.

Names and formulas: Microsoft's TRELLIS, `trellis/representations/gaussian/gaussian_model.py`, whose own
functions are called.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

numpy: Any = importlib.import_module("numpy")

# From Z up to Y up, as `save_ply` turns splats by default.
TURN = ((1, 0, 0), (0, 0, -1), (0, 1, 0))


def save(splats: Any, path: Path) -> None:
    """A binary PLY of a `Gaussian`."""
    names, rows = splats.construct_list_of_attributes(), _rows(splats)
    if rows.shape[1] != len(names):
        # Another form of splats: its own writer says what is wrong.
        splats.save_ply(str(path))
        return
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    header += [*(f"property float {name}" for name in names), "end_header", ""]
    with path.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        file.write(rows.astype("<f4").tobytes())


def _rows(splats: Any) -> Any:
    module = importlib.import_module(type(splats).__module__)
    torch = importlib.import_module("torch")
    quaternions = module.utils3d.numpy
    turn = numpy.array(TURN)

    def held(tensor: Any) -> Any:
        return tensor.detach().cpu().numpy()

    places = held(splats.get_xyz)
    rotation = held(splats._rotation + splats.rots_bias[None, :])
    rotation = numpy.matmul(turn, quaternions.quaternion_to_matrix(rotation))
    columns = (
        numpy.matmul(places, turn.T),
        numpy.zeros_like(places),
        held(splats._features_dc.detach().transpose(1, 2).flatten(start_dim=1).contiguous()),
        held(module.inverse_sigmoid(splats.get_opacity)),
        held(torch.log(splats.get_scaling)),
        quaternions.matrix_to_quaternion(rotation),
    )
    return numpy.concatenate(columns, axis=1)
