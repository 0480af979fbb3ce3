"""Loads a compiled extension by its path, without the package around it: `load-extension.py …/package/name`."""

import importlib.util
import sys
from pathlib import Path

# Its libraries are what the extension is linked to.
import torch  # noqa: F401

path = Path(sys.argv[1])
found = list(path.parent.glob(f"{path.name}.*.so"))
assert len(found) == 1, f"{path}.*.so: {found}"
spec = importlib.util.spec_from_file_location(path.name, found[0])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
