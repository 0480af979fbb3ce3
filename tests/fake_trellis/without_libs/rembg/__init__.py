"""A stand-in for rembg: everything is the object."""

from __future__ import annotations

from typing import Any

from PIL import Image


def new_session(name: str) -> str:
    assert name == "u2net"
    return name


def remove(picture: Any, session: str) -> Any:
    assert session
    return Image.new("RGBA", picture.size)
