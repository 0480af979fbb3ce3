#!/usr/bin/env python3
"""Turns what the harness prints of the evaluated module (JSON on standard input) into text.

    units.py show        warnings, firewall, users, folders, settings and units, without what changes with
                         every build
    units.py write DIR   the unit files, and the settings file as trellis.toml
    units.py options     the options, as JSON
"""

import json
import pathlib
import re
import sys

# Hashes, versions of the placeholder packages, and the PATH that is made of them.
STORE_HASH = re.compile(r"/nix/store/[a-z0-9]{32}-")
VERSION = re.compile(r"(/nix/store/[a-z-]+?)-[0-9][0-9.]*")
DEFAULT_PATH = re.compile(r'^Environment="PATH=.*"\n', re.MULTILINE)


def stable(text: str) -> str:
    text = DEFAULT_PATH.sub("", text)
    return VERSION.sub(r"\1", STORE_HASH.sub("/nix/store/", text))


def told(report: dict, subject: str) -> str:
    """What tests/nix/harness.sh had told in a warning."""
    return next(
        warning.removeprefix(f"{subject} ")
        for warning in report["warnings"]
        if warning.startswith(f"{subject} ")
    )


def toml(settings: dict) -> str:
    """Tables one deep, and values that JSON and TOML write alike."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            lines += [f"[{name}]", toml(value)]
    return "\n".join(lines)


def show(report: dict) -> str:
    parts = [
        f"warning: {warning.strip()}"
        for warning in report["warnings"]
        if not warning.startswith(("settings ", "options "))
    ]
    parts += [f"firewall: {port}/tcp" for port in report["firewall"]["allowedTCPPorts"]]
    parts += [
        f"user: {name}, group {user['group']}, system user {user['isSystemUser']}"
        for name, user in report["users"].items()
        if name.startswith("trellis")
    ]
    parts += [
        f"folder: {path} {kind} {rule['mode']} {rule['user']} {rule['group']}"
        for paths in report["tmpfiles"]["settings"].values()
        for path, kinds in paths.items()
        for kind, rule in kinds.items()
    ]
    parts += ["== trellis.toml", toml(json.loads(told(report, "settings")))]
    parts += [
        f"== {name}\n{stable(text).strip()}" for name, text in ours(report).items()
    ]
    return "\n".join(parts) + "\n"


def ours(report: dict) -> dict[str, str]:
    return {
        name: text
        for name, text in report["units"].items()
        if name.startswith("trellis")
    }


def main() -> None:
    report = json.load(sys.stdin)
    match sys.argv[1:]:
        case ["show"]:
            print(show(report), end="")
        case ["write", folder]:
            for name, text in ours(report).items():
                (pathlib.Path(folder) / name).write_text(text)
            settings = toml(json.loads(told(report, "settings")))
            (pathlib.Path(folder) / "trellis.toml").write_text(settings + "\n")
        case ["options"]:
            print(told(report, "options"))
        case _:
            sys.exit(__doc__)


main()
