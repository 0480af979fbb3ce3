"""Compares the doctor's reports on the real wheels with the pins, and prints the table.

usage: judge.py FOLDER SECONDS — FOLDER holds torch-2.9.1.json and torch-2.8.0.json.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

PINS = json.loads(Path("nix/pins.json").read_text())
FOLDER = Path(sys.argv[1])


def report(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def numbers(lists: list[dict[str, Any]], key: str) -> list[int]:
    """Capabilities without their letters, as the pins have them."""
    found = {int(re.sub(r"\D", "", arch["arch"])) for part in lists for arch in part[key]}
    return sorted(found)


def verdict(line: dict[str, Any]) -> str:
    kind, units = line["verdict"]["kind"], line["units"]
    if kind == "driver_compiles":
        return f"driver compiles from {', '.join(line['verdict']['from'])} ({units['driver_compiles']} units)"
    return kind


def names(line: dict[str, Any], key: str) -> str:
    parts = ("linked", "relocatable", "embedded")
    archs = {arch["arch"].split("_")[1] for part in parts for arch in line[part][key]}
    return " ".join(sorted(archs, key=lambda arch: (int(re.sub(r"\D", "", arch)), arch))) or "–"


def compare(full: dict[str, Any]) -> list[str]:
    """Differences between the lists of the doctor and of the pins.

    The pins' lists were made by looking for fatbins in whole files, and leave out some that lie among the
    constants of libraries with linked code: so either of the doctor's two sums may be theirs.
    """
    wrong = []
    here = {line["library"]: line for line in full["libraries"]}
    for name, wheel in PINS["wheels"].items():
        for library, pinned in wheel.get("machine_code", {}).items():
            line = here.get(library)
            if line is None:
                wrong.append(f"{name}: {library} is not in the report")
                continue
            parts = [line["linked"], line["relocatable"], line["embedded"]]
            for key in ("sass", "ptx"):
                if pinned[key] not in (numbers(parts, key), numbers(parts[:2], key)):
                    wrong.append(f"{library}: {key} {numbers(parts, key)}, pinned {pinned[key]}")
    return wrong


def missing_symbols(old: dict[str, Any]) -> dict[str, list[str]]:
    found = [finding for finding in old["findings"] if finding["kind"] == "missing_symbols"]
    return {finding["subject"]: [line.split()[0] for line in finding["evidence"]] for finding in found}


def defined_by_torch(symbol: str) -> list[str]:
    """Torch's libraries that hold the name at all; a name that is nowhere is defined nowhere."""
    libraries = sorted((FOLDER / "torch-2.9.1").glob("lib/python3.12/site-packages/torch/lib/*.so*"))
    return [path.name for path in libraries if symbol.encode() in path.read_bytes()]


def main() -> int:
    full, old = report("torch-2.9.1"), report("torch-2.8.0")
    wrong = compare(full)
    print("| library | images | SASS | PTX | on 12.0 |\n|---|---|---|---|---|")
    for line in full["libraries"]:
        cells = (f"`{line['library']}`", line["images"], names(line, "sass"), names(line, "ptx"), verdict(line))
        print("| " + " | ".join(str(cell) for cell in cells) + " |")
    print("\nxformers beside torch 2.8.0:\n")
    symbols = missing_symbols(old)
    for library, lacking in symbols.items():
        print(f"- `{library}` lacks " + ", ".join(f"`{symbol}`" for symbol in lacking))
    expected = sorted(PINS["abi"]["xformers"]["needs_from_torch"])
    if sorted(symbols.get("xformers/_C.so", [])) != expected:
        wrong.append(f"xformers/_C.so beside torch 2.8.0 lacks {symbols}, pinned {expected}")
    print("\nkaolin for torch 2.8 beside torch 2.9.1:\n")
    for symbol in PINS["abi"]["kaolin"]["needs_from_torch"]:
        holders = defined_by_torch(symbol)
        print(f"- `{symbol}` is in {holders or 'none'} of torch 2.9.1's libraries")
        wrong.extend(f"{symbol} is in {holder}" for holder in holders)
    abi = [finding["subject"] for finding in full["findings"] if finding["check"] == "abi" and finding["level"] != "ok"]
    wrong.extend(f"the pinned set has an ABI finding: {subject}" for subject in abi)
    print(f"\nSecond run over the whole environment: {sys.argv[2]}")
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
