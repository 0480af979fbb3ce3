"""Voxel files, by the writer of the other stand-in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_OTHER = Path(__file__).resolve().parents[3] / "fake_trellis" / "o_voxel" / "io.py"
_spec = importlib.util.spec_from_file_location("fake_o_voxel_io", _OTHER)
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
write_vxz = _module.write_vxz
