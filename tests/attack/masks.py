"""Pictures that are only to be looked at, and clients that do not wait for it."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from server import MIB, Server, png
from withstood import holds


def request(picture: bytes) -> bytes:
    head = b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    body = head + picture + b"\r\n--cut--\r\n"
    lines = [
        b"POST /v1/preprocess HTTP/1.1",
        b"host: localhost",
        b"connection: close",
        b"content-type: multipart/form-data; boundary=cut",
        b"content-length: %d" % len(body),
        b"",
        b"",
    ]
    return b"\r\n".join(lines) + body


def many_masks(program: str) -> str:
    """60 pictures of 12 megapixels to cut out at once, while every second client hangs up"""
    # Small as a file: what it takes is only known once its header is read.
    asked = request(png(4000, 3000))
    with Server(program) as server:
        server.finished(server.submit(png(64, 64))[1]["id"])
        idle = server.memory()
        server.forget_most_memory()
        slowest, accepted = 0.0, []

        def ask(number: int) -> str:
            with socket.create_connection(("127.0.0.1", server.port), timeout=120) as stream:
                stream.sendall(asked)
                if number % 2:
                    return "gone"
                answer = b""
                while len(answer) < 16 and (part := stream.recv(65536)):
                    answer += part
                return answer.split(b" ")[1].decode()

        with ThreadPoolExecutor(60) as pool:
            asking = [pool.submit(ask, number) for number in range(60)]
            while not all(one.done() for one in asking):
                slowest = max(slowest, server.health_seconds())
                began = time.monotonic()
                status, _ = server.submit(png(64, 64))
                accepted.append((status, time.monotonic() - began))
                time.sleep(0.3)
        answers = Counter(one.result() for one in asking)
        grown = (server.memory("VmHWM") - idle) // MIB
    waited = max(seconds for _, seconds in accepted)
    holds(set(answers) <= {"200", "503", "gone"} and answers["200"] > 0, f"answers: {answers}")
    holds(all(status == 202 for status, _ in accepted) and slowest < 2, f"{accepted}, health {slowest:.1f} s")
    holds(grown <= 640, f"{grown} MiB more memory")
    return (
        f"{answers['200']} got a mask, {answers['503']} were told to come again, other submissions accepted within "
        f"{waited:.1f} s, health answered within {slowest:.2f} s, {grown} MiB more memory"
    )


ATTACKS: list[Callable[[str], str]] = [many_masks]
