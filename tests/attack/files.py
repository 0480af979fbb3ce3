"""Files that are not what they should be."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from server import Server
from withstood import holds

KEY = "0123456789abcdef0123456789abcdef"


def pipe_of_keys(program: str) -> str:
    """a pipe in place of the keys file, then SIGHUP"""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"ada {KEY}\n")
        keys.chmod(0o600)
        with Server(program, "--auth-keys-file", str(keys)) as server:
            keys.unlink()
            os.mkfifo(keys, 0o600)
            server.process.send_signal(signal.SIGHUP)
            time.sleep(1)
            health = server.health_seconds()
            status, _ = server.call("GET", "/v1/jobs", authorization=f"Bearer {KEY}")
            end = server.terminate()
    holds(health < 2 and status == 200 and end < 35, f"health {health:.1f} s, jobs {status}, end {end:.1f} s")
    return f"health answered within {health:.2f} s, the old key holds, SIGTERM ended it in {end:.1f} s"


ATTACKS: list[Callable[[str], str]] = [pipe_of_keys]
