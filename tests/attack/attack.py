"""Attacks on the real server; run by run.sh. Each is a function that returns what it saw, or raises `Fell`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import bodies
import clients
import door
import exports
import files
import handshakes
import http_rules
import key_holders
import masks
import other_servers
import pictures
import sessions
import uploads
import webhooks
import workers
from withstood import Fell

ATTACKS: list[Callable[[str], str]] = [
    *bodies.ATTACKS,
    *clients.ATTACKS,
    *door.ATTACKS,
    *handshakes.ATTACKS,
    *http_rules.ATTACKS,
    *exports.ATTACKS,
    *files.ATTACKS,
    *key_holders.ATTACKS,
    *masks.ATTACKS,
    *pictures.ATTACKS,
    *sessions.ATTACKS,
    *uploads.ATTACKS,
    *webhooks.ATTACKS,
    *workers.ATTACKS,
    *other_servers.ATTACKS,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    known = {attack.__name__: attack for attack in ATTACKS}
    if unknown := set(asked.names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    page = (Path(__file__).parent.parent.parent / "docs/security.md").read_text()
    if missing := [name for name, attack in known.items() if f"| {attack.__doc__} |" not in page]:
        parser.error(f"docs/security.md lacks {', '.join(missing)}")
    failed = 0
    chosen = list(asked.names or known) * asked.times
    for name in chosen:
        attack = known[name]
        began = time.monotonic()
        try:
            mark, seen = "ok    ", attack(asked.program)
        except Fell as fell:
            mark, seen = "FAILED", str(fell)
        except Exception:  # noqa: BLE001  the server may have died in the middle: the others still run
            mark, seen = "FAILED", traceback.format_exc()
        failed += mark == "FAILED"
        print(f"{mark} {attack.__doc__} — {seen} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen) - failed} withstood, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
