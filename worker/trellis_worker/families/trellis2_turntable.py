"""A turntable of TRELLIS.2's voxels with their base colours, drawn by o-voxel. Of what takes part, no licence
forbids commercial use; TRELLIS.2's renderer of meshes needs NVIDIA's rasteriser.

Names, and what is called when: `trellis2/renderers/voxel_renderer.py` of Microsoft's TRELLIS.2. The way
around the object is that of TRELLIS's `render_video`.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

from ..stages import Stages

FRAMES = 120
FRAMES_PER_SECOND = 30
# Of a frame, in pixels; each is drawn of four.
SIDE = 512
DISTANCE = 2.0
FIELD_OF_VIEW = math.radians(40)


def camera(turn: float) -> list[list[float]]:
    """From the world, whose Z is up, to a camera that looks at its middle (Z ahead, Y down), after a part of
    its way around, 0 to 1; it rises and sinks once."""
    yaw, pitch = math.tau * turn, 0.25 + 0.5 * math.sin(math.tau * turn)
    ahead = [-math.sin(yaw) * math.cos(pitch), -math.cos(yaw) * math.cos(pitch), -math.sin(pitch)]
    right = [-math.cos(yaw), math.sin(yaw), 0.0]
    down = [
        ahead[1] * right[2] - ahead[2] * right[1],
        ahead[2] * right[0] - ahead[0] * right[2],
        ahead[0] * right[1] - ahead[1] * right[0],
    ]
    return [[*right, 0.0], [*down, 0.0], [*ahead, DISTANCE], [0.0, 0.0, 0.0, 1.0]]


def frames(mesh: Any, device: Any, stages: Stages) -> list[Any]:
    """Pictures (side, side, 3) of 8 bits."""
    torch = importlib.import_module("torch")
    voxels = importlib.import_module("trellis2.representations").Voxel(
        origin=[-0.5, -0.5, -0.5],
        voxel_size=mesh.voxel_size,
        coords=mesh.coords,
        attrs=mesh.attrs,
        layout=mesh.layout,
        device=device,
    )
    options = {"resolution": SIDE, "ssaa": 2}
    renderer = importlib.import_module("trellis2.renderers").VoxelRenderer(options)
    focal = 0.5 / math.tan(FIELD_OF_VIEW / 2)
    lens = torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]], device=device)
    made = []
    for number in range(FRAMES):
        view = torch.tensor(camera(number / FRAMES), device=device)
        colour = renderer.render(voxels, view, lens)["base_color"]
        made.append((colour.clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy())
        stages.step()
    return made
