"""What turns a mesh into voxels."""

from typing import Any


def mesh_to_flexible_dual_grid(_vertices: Any, _faces: Any, timing: bool = False, **_options: Any) -> None:
    """Finds nothing. The real one prints if it is asked for times, which has crashed workers."""
    assert not timing, "it would print"
