"""Pictures that promise little and cost much."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable

from server import MIB, Server, png
from withstood import holds


def swollen_profile(program: str) -> str:
    """a 64 × 64 PNG whose colour profile unpacks to 1 GiB"""
    squeeze = zlib.compressobj(9)
    profile = b"".join(squeeze.compress(bytes(MIB)) for _ in range(1024)) + squeeze.flush()
    picture = png(64, 64, ((b"iCCP", b"x\0\0" + profile),))
    with Server(program) as server:
        server.finished(server.submit(png(64, 64))[1]["id"])
        before = server.memory("VmHWM")
        began = time.monotonic()
        status, job = server.submit(picture)
        if status == 202:
            server.finished(job["id"])
        growth, seconds = server.memory("VmHWM") - before, time.monotonic() - began
    holds(growth < 96 * MIB, f"{growth // MIB} MiB and {seconds:.1f} s")
    return f"{len(picture) // 1024} KiB in, {growth // MIB} MiB more memory, {seconds:.1f} s"


def thin_picture(program: str) -> str:
    """1 × 64,000,000 pixels"""
    with Server(program) as server:
        began = time.monotonic()
        status, body = server.submit(thin())
        seconds = time.monotonic() - began
    holds(status == 413 or status == 422, f"{status}: {body}")
    return f"{status} after {seconds:.1f} s: {body['detail']}"


def cut_picture(program: str) -> str:
    """a PNG cut short at a hundred places"""
    whole = png(200, 200, noise=True)
    cuts = [len(whole) * part // 100 for part in range(1, 99)] + [len(whole) - 13, len(whole) - 40]
    with Server(program) as server:
        answers = [server.submit(whole[:length]) for length in cuts]
        accepted, _ = server.submit(whole)
    refused = sum(status == 422 and body["type"].endswith(":picture_damaged") for status, body in answers)
    holds(refused == len(cuts) and accepted == 202, f"{refused} of {len(cuts)} refused; the whole one: {accepted}")
    return f"all {refused} refused before a job was accepted; the whole one is"


def thin() -> bytes:
    """A PNG that says it has one column of 64,000,000 pixels; they are not needed to refuse it."""
    whole = png(1, 4)
    header = b"IHDR" + struct.pack(">II", 1, 64_000_000) + whole[24:29]
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


ATTACKS: list[Callable[[str], str]] = [swollen_profile, thin_picture, cut_picture]
