"""What goes wrong, and when: rules from `script.json` in the model folder.

A rule is an object: `at` names a place (`import`, `model:NAME`, `hub`, `preprocess`, `condition`,
`sparse_structure`, `structured_latent`, `texture_latent`, `decode`, `simplify`, `texture`, `export`), `do` an action below.
Optional: `step` (of a sampler, from 1), `seed` (of the job), `times` (how often in all, over all processes),
`only_high_vram` (not while models are kept in main memory), and the action's own fields.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(os.environ.get("TRELLIS_MODEL_PATH", "."))
# Set by the pipeline: whether some model is in main memory.
offloaded = False
# Set by `pad`: how many bytes a GLB gets that mean nothing.
padding = 0
# Set by `empty`: whether meshes have no faces.
empty = False


def _rules() -> list[dict[str, Any]]:
    try:
        return list(json.loads((FOLDER / "script.json").read_text("utf-8")))
    except FileNotFoundError:
        return []


def act(at: str, step: int | None = None) -> None:
    """Does what the rules say for this place."""
    for number, rule in enumerate(_rules()):
        if rule["at"] != at or rule.get("step", step) != step:
            continue
        if "seed" in rule and rule["seed"] != torch.initial_seed():
            continue
        if rule.get("only_high_vram") and offloaded:
            continue
        if "times" in rule and not _count(number, rule["times"]):
            continue
        ACTIONS[rule["do"]](rule)


def _count(number: int, times: int) -> bool:
    """Takes one of the `times` of a rule; each is a file, so that they last over processes."""
    for taken in range(times):
        try:
            (FOLDER / f".rule-{number}-{taken}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def _raise(rule: dict[str, Any]) -> None:
    kinds: dict[str, type[Exception]] = {
        "RuntimeError": RuntimeError,
        "ImportError": ImportError,
        "OSError": OSError,
        "ValueError": ValueError,
        "NotImplementedError": NotImplementedError,
        # PIL's own derives so, too.
        "UnidentifiedImageError": type("UnidentifiedImageError", (OSError,), {}),
    }
    if rule["type"] == "ModuleNotFoundError":
        raise ModuleNotFoundError(f"No module named '{rule['text']}'", name=rule["text"])
    if rule["type"] == "no_space":
        raise OSError(28, "No space left on device")
    raise kinds[rule["type"]](rule["text"])


def _out_of_memory(_rule: dict[str, Any]) -> None:
    if torch.cuda.is_available() and not hasattr(torch, "STAND_IN"):
        torch.empty(1 << 44, dtype=torch.uint8, device="cuda")
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")


LEAKED: list[bytes] = []


def _leak(rule: dict[str, Any]) -> None:
    """Keeps memory for ever, every page of it in use."""
    LEAKED.append(os.urandom(1 << 20) * (rule["bytes"] >> 20))


def _no_memory(_rule: dict[str, Any]) -> None:
    """Every allocation fails from here on, as the allocator of real torch fails."""

    def allocate(*_size: Any, **_options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")

    torch.empty = torch.randn = allocate


def _hang(_rule: dict[str, Any]) -> None:
    while True:
        time.sleep(3600)


def _flood(rule: dict[str, Any]) -> None:
    line = b"x" * 1023 + b"\n"
    for _ in range(rule["bytes"] // len(line)):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _garbage(_rule: dict[str, Any]) -> None:
    """What is no text, no line and looks like a frame."""
    for stream in (sys.stdout, sys.stderr):
        stream.buffer.write(bytes(range(256)) + b"\0\0\0\x10{\"type\":\"done\"}" + b"\xff" * 100_000)
        stream.buffer.flush()


def _babble(_rule: dict[str, Any]) -> None:
    """Writes what is no frame on the socket to the server, as a stray native write would."""
    for descriptor in range(64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue
    _hang({})


def _pad(rule: dict[str, Any]) -> None:
    """Makes GLBs as large as real ones."""
    global padding  # noqa: PLW0603 read where the file is made
    padding = rule["bytes"]


def _empty(_rule: dict[str, Any]) -> None:
    global empty  # noqa: PLW0603 read where the mesh is made
    empty = True


def _open_url(rule: dict[str, Any]) -> None:
    urllib.request.urlopen(rule["url"], timeout=5)


ACTIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "sleep": lambda rule: time.sleep(rule["seconds"]),
    "exit": lambda rule: os._exit(rule.get("code", 1)),
    "kill": lambda _rule: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda _rule: os.kill(os.getpid(), signal.SIGSEGV),
    "freeze": lambda _rule: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": _hang,
    "raise": _raise,
    "out_of_memory": _out_of_memory,
    "no_memory": _no_memory,
    "leak": _leak,
    "flood": _flood,
    "garbage": _garbage,
    "babble": _babble,
    "connect": lambda rule: socket.create_connection((rule["host"], 443), timeout=5).close(),
    "open_url": _open_url,
    "pad": _pad,
    "empty": _empty,
    "write_stderr": lambda rule: print(rule["text"], file=sys.stderr, flush=True),
}
