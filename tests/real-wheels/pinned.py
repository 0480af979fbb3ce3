"""Prints the pinned wheels with compiled code as requirements, one a line."""

import json
from pathlib import Path

PINS = json.loads(Path("nix/pins.json").read_text())

for name, wheel in PINS["wheels"].items():
    if not wheel["filename"].endswith("-none-any.whl"):
        print(f"{name}=={wheel['version']}")
