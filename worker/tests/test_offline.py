"""The guard, in a process of its own because it cannot be taken off again."""

from __future__ import annotations

import subprocess
import sys
import unittest

from .kit import ROOT

PROGRAM = """
import os, socket, sys, tempfile, urllib.request
from trellis_worker import offline
from trellis_worker.failures import OfflineAttempt
offline.close_network()
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname()).close()
socket.getaddrinfo("localhost", 80)
path = os.path.join(tempfile.mkdtemp(), "socket")
unix = socket.socket(socket.AF_UNIX)
unix.bind(path)
attempts = {
    "look-up": lambda: socket.getaddrinfo("huggingface.co", 443),
    "connect": lambda: socket.create_connection(("192.0.2.1", 443), timeout=1),
    "connect6": lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 443)),
    "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    "url": lambda: urllib.request.urlopen("https://dl.fbaipublicfiles.com/dinov2/weights.pth"),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except OfflineAttempt as error:
        print(name, error.target, "|", error.pin)
    else:
        sys.exit(f"{name} was let through")
"""


class Offline(unittest.TestCase):
    def test_what_leaves_this_machine_is_refused_and_named(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=ROOT / "worker", capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = [
            "look-up huggingface.co | the file should be in the model folder",
            "connect 192.0.2.1 | the file that it gives should be pinned",
            "connect6 2001:db8::1 | the file that it gives should be pinned",
            "datagram 192.0.2.1 | the file that it gives should be pinned",
            "url https://dl.fbaipublicfiles.com/dinov2/weights.pth"
            " | DINOv2's weights should be in `TORCH_HOME/hub/checkpoints`",
        ]
        self.assertEqual(done.stdout.splitlines(), expected)
