"""What is done with the cookie of a page's session by those whose it is not."""

from __future__ import annotations

import json
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from server import Server, png, until
from withstood import holds

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
BOUNDARY = "multipart/form-data; boundary=cut"


def sign_in(server: Server, key: str, **headers: str) -> str:
    """The cookie of a new session; empty where there is none."""
    names = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"key": key}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/v1/session", body, names, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.headers.get("set-cookie", "")).split(";")[0]
    except urllib.error.HTTPError as error:
        error.close()
        return ""


def stolen_sessions(program: str) -> str:
    """sessions of pages: stolen by a page of another site or port, forged, of a removed key, of another server"""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"ada {KEY}\nbob {OTHER}\n")
        keys.chmod(0o600)
        flags = ("--auth-keys-file", str(keys), "--allowed-origins", "*")
        with Server(program, *flags) as server, Server(program, *flags) as elsewhere:
            own = f"http://127.0.0.1:{server.port}"
            ada, bob = sign_in(server, KEY, origin=own), sign_in(server, OTHER)

            def submit(cookie: str, **headers: str) -> int:
                head = b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
                body = head + png(64, 64) + b"\r\n--cut--\r\n"
                return server.call("POST", "/v1/jobs", body, content_type=BOUNDARY, cookie=cookie, **headers)[0]

            def look(cookie: str) -> int:
                return server.call("GET", "/v1/jobs", cookie=cookie)[0]

            other_port = f"http://127.0.0.1:{elsewhere.port}"
            refused = [
                submit(ada, origin="https://evil.example", sec_fetch_site="cross-site"),
                submit(ada, origin=other_port, sec_fetch_site="same-site"),
                submit(ada, origin=other_port),
                submit(ada, origin="null"),
                submit(ada),
                look(ada.replace(".ada", ".bob")),
                look(ada[:-4]),
                look(f"{ada}; {bob}"),
                look(sign_in(elsewhere, KEY)),
                look("trellis_session=AAAA.9999999999.ada"),
            ]
            signed = sign_in(server, OTHER, origin="https://evil.example")
            worked = [look(ada), submit(ada, origin=own)]
            server.terminate()
            with Server(program, *flags, data=server.data) as again:
                worked.append(again.call("GET", "/v1/jobs", cookie=ada)[0])
                keys.write_text(f"bob {OTHER}\n")
                again.process.send_signal(signal.SIGHUP)
                until("the end of the removed key", lambda: gone(again, ada), 20)
                worked.append(again.call("GET", "/v1/jobs", cookie=bob)[0])
    holds(ada != "" and bob != "" and signed == "", f"{ada}, {bob}, {signed}")
    holds(refused == [403] * 5 + [401] * 5 and worked == [200, 202, 200, 200], f"{refused}, {worked}")
    return "each refused (401 or 403), the honest page's session worked throughout and after a restart"


def gone(server: Server, cookie: str) -> bool | None:
    """Whether the cookie opens nothing any more."""
    return True if server.call("GET", "/v1/jobs", cookie=cookie)[0] == 401 else None


ATTACKS: list[Callable[[str], str]] = [stolen_sessions]
