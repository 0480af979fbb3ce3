"""How an attack says what it saw."""

from __future__ import annotations


class Fell(Exception):
    """The server did not withstand it."""


def holds(condition: bool, seen: str) -> None:
    if not condition:
        raise Fell(seen)
