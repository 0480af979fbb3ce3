"""Nothing leaves this machine: any attempt becomes an error that names what should have been there.

Python tells of connections and look-ups through audit hooks, which cannot be removed or overridden. Native
code that opens sockets by itself is not seen here; the service's network settings bound that.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any
from urllib.parse import urlsplit

from .failures import OfflineAttempt

# What is fetched from where, by a part of the address.
_PINS = [
    ("u2net", "rembg's `u2net.onnx` should be in `U2NET_HOME`"),
    ("danielgatis/rembg", "rembg's `u2net.onnx` should be in `U2NET_HOME`"),
    ("fbaipublicfiles", "DINOv2's weights should be in `TORCH_HOME/hub/checkpoints`"),
    ("dinov2", "DINOv2's code should be in `TORCH_HOME/hub/facebookresearch_dinov2_main`"),
    ("huggingface", "the file should be in the model folder"),
    ("hf.co", "the file should be in the model folder"),
]


def pin_for(target: str) -> str:
    """What should have been pinned, so that `target` is not asked for."""
    found = (pin for part, pin in _PINS if part in target)
    return next(found, "the file that it gives should be pinned")


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")


def _refuse(target: str) -> None:
    raise OfflineAttempt(target, pin_for(target))


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    match event:
        case "urllib.Request":
            url = _text(arguments[0])
            parts = urlsplit(url)
            if parts.scheme in {"http", "https", "ftp"} and not _is_here(parts.hostname or ""):
                _refuse(url)
        case "socket.getaddrinfo" | "socket.gethostbyname":
            host = _text(arguments[0])
            if not _is_here(host):
                _refuse(host)
        case "socket.connect" | "socket.sendto" | "socket.sendmsg":
            address = arguments[1]
            # Unix sockets have a path here; a datagram on a connected socket has none.
            if isinstance(address, tuple) and not _is_here(_text(address[0])):
                _refuse(_text(address[0]))


def close_network() -> None:
    """Turns the network off for the rest of the process."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    sys.addaudithook(_hook)
