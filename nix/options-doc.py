#!/usr/bin/env python3
"""Writes docs/nixos-options.md: lib.optionAttrSetToDocList's JSON on standard input, Markdown out."""

import json
import sys

HEAD = """# Options of the NixOS module

<!-- Made from nix/module; `UPDATE=1 tests/nix/module.sh` regenerates it. -->

All of them are below `services.trellis-server`. [nixos.md](nixos.md) shows them at work,
[configuration.md](configuration.md) has the keys of `settings`.
"""


def value(found: dict | None) -> str:
    """An option's default or example as Nix, on one line."""
    if found is None:
        return "none"
    return f"`{' '.join(found['text'].split())}`"


def section(option: dict) -> str:
    name = option["name"].removeprefix("services.trellis-server.")
    facts = f"{option['type']}; default {value(option.get('default'))}"
    if option.get("example"):
        facts += f"; for example {value(option['example'])}"
    return f"## `{name}`\n\n{option['description'].strip()}\n\n{facts}\n"


def main() -> None:
    # Those of a submodule have its prefix; `_module.args` is the module system's own.
    shown = [
        option
        for option in json.load(sys.stdin)
        if option["visible"] and not option["internal"] and "_module" not in option["loc"]
    ]
    shown.sort(key=lambda option: option["name"])
    print("\n".join([HEAD, *map(section, shown)]), end="")


main()
