"""Bodies of JSON that are small to send and large to read."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable
from typing import Any

from server import MIB, Server
from withstood import holds

BODY = 60 * MIB


def numbers(program: str) -> str:
    """60 MiB of JSON whose parameters are 30 million numbers"""
    return refused(program, b'{"images": [], "params": [' + b"0," * (BODY // 2) + b"0]}", "json_too_long")


def names(program: str) -> str:
    """60 MiB of JSON with 5 million names"""
    fields = b",".join(b'"%07d":1' % number for number in range(BODY // 12))
    return refused(program, b"{" + fields + b"}", "invalid_json")


def pictures(program: str) -> str:
    """60 MiB of JSON with 20 million pictures"""
    return refused(program, b'{"images": [' + b'"",' * (BODY // 3) + b'""]}', "invalid_data_uri")


def views(program: str) -> str:
    """60 MiB of JSON with 2 million pictures of two bytes"""
    uri = b'"data:;base64,aGk=",'
    return refused(program, b'{"images": [' + uri * (BODY // len(uri)) + b'""]}', "too_many_pictures")


def one_text(program: str) -> str:
    """60 MiB of JSON with one picture that is not a picture"""
    text = base64.b64encode(os.urandom(BODY // 4 * 3))
    # It is looked at as a whole, once it is decoded.
    body = b'{"images": ["data:image/png;base64,' + text + b'"]}'
    return refused(program, body, "picture_format", len(body))


def refused(program: str, body: bytes, kind: str, most_memory: int = 16 * MIB) -> str:
    """Sends a body while an honest client asks on; what memory it took, and what it left taken."""
    answers: list[tuple[int, Any]] = []
    with Server(program) as server:
        server.call("POST", "/v1/jobs", b"{}", content_type="application/json")
        before = server.memory()

        def send() -> None:
            answers.append(server.call("POST", "/v1/jobs", body, content_type="application/json"))

        sender = threading.Thread(target=send)
        sender.start()
        slowest = 0.0
        while sender.is_alive():
            slowest = max(slowest, server.health_seconds())
            sender.join(0.02)
        most, after = server.memory("VmHWM") - before, server.memory() - before
    holds(bool(answers), "no answer")
    status, problem = answers[0]
    holds(problem["type"].endswith(f":{kind}"), f"{status}: {problem}")
    seen = f"{kind}, {most // MIB} MiB more memory, {max(after, 0) // MIB} MiB of it left, health within {slowest:.2f} s"
    holds(most < most_memory and after < 16 * MIB and slowest < 5, seen)
    return seen


ATTACKS: list[Callable[[str], str]] = [numbers, names, pictures, views, one_text]
