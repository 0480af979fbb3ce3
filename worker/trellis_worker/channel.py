"""Frames over the inherited socket: four bytes of length, big-endian, then JSON."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any

from .protocol import MAX_FRAME_BYTES, Message, ProtocolError

FD_VARIABLE = "TRELLIS_WORKER_FD"


class Channel:
    """The supervisor's end of the line. Any thread may send; one thread receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    @classmethod
    def inherited(cls) -> Channel:
        """Takes over the descriptor that the supervisor left, out of the reach of children."""
        inherited = int(os.environ[FD_VARIABLE])
        connection = socket.socket(fileno=os.dup(inherited))
        connection.set_inheritable(False)
        # Where it was standard input, nobody else may read from it.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, inherited)
        os.close(nothing)
        return cls(connection)

    def send(self, message: Message) -> None:
        """Sends a message whole; raises `OSError` once the supervisor is gone."""
        body = message.encoded()
        if len(body) > MAX_FRAME_BYTES:
            raise ProtocolError(f"a `{message.TYPE}` of {len(body)} bytes is longer than {MAX_FRAME_BYTES}")
        with self._sending:
            self._connection.sendall(len(body).to_bytes(4, "big") + body)

    def receive(self) -> dict[str, Any] | None:
        """The next message as JSON; `None` once the supervisor has closed its end."""
        header = self._exactly(4)
        if header is None:
            return None
        length = int.from_bytes(header, "big")
        if length > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame of {length} bytes is longer than {MAX_FRAME_BYTES}")
        body = self._exactly(length)
        if body is None:
            return None
        try:
            message = json.loads(body)
        except ValueError as error:
            raise ProtocolError("a frame is not JSON") from error
        if not isinstance(message, dict):
            raise ProtocolError("a frame is not a JSON object")
        return message

    def _exactly(self, count: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self._connection.recv(count - len(parts))
            except ConnectionError:
                return None
            if not part:
                return None
            parts += part
        return bytes(parts)
