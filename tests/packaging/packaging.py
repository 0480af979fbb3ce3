"""The files of packaging/ with the real program; run.sh says how to run it."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/attack"), str(ROOT / "tests/cluster")]

from database import Postgres  # noqa: E402
from network import HERE  # noqa: E402
from server import png  # noqa: E402
from servers import FINAL, Unanswered, ask, until  # noqa: E402

FOLDER = ROOT / "packaging"
problems: list[str] = []


def must(holds: object, what: str) -> None:
    if not holds:
        problems.append(what)
        print(f"WRONG  {what}", flush=True)


class Form:
    """How a server is started: its words after the program, and its variables."""

    def __init__(self, name: str, words: list[str], variables: dict[str, str]) -> None:
        self.name, self.words, self.variables = name, words, variables

    def with_words(self, more: list[str]) -> Form:
        return Form(self.name, self.words + more, self.variables)


def unit(path: Path) -> dict[str, list[str]]:
    """Its lines by their names; an assignment of systemd may come several times."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith(("#", "[")):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def of_unit(path: Path) -> Form:
    lines = unit(path)
    program, *words = shlex.split(lines["ExecStart"][0])
    must(program == "/usr/local/bin/trellis", f"{path.name} starts {program}")
    texts = [word for line in lines["Environment"] for word in shlex.split(line)]
    for file in lines.get("EnvironmentFile", []):
        texts += [line for line in (FOLDER / "systemd" / Path(file).name).read_text().splitlines() if "=" in line]
    variables = dict(text.split("=", 1) for text in texts if not text.startswith("#"))
    handed = {value.split(":", 1)[0] for value in lines.get("LoadCredential", [])}
    named = {match for value in variables.values() for match in re.findall(r"^%d/(.+)", value)}
    must(named <= handed, f"{path.name} names credentials that it does not load: {named - handed}")
    drains = int(words[words.index("--drain-seconds") + 1]) if "--drain-seconds" in words else 30
    must(int(lines["TimeoutStopSec"][0]) == drains + 15, f"{path.name} is killed before its jobs have ended")
    return Form(path.stem, words, variables)


def of_compose(name: str, document: dict[str, Any]) -> Form:
    service = document["services"][name]
    for volume in service.get("volumes", []):
        must(volume.split(":")[0] in document["volumes"], f"{name} mounts {volume}, which is no volume")
    for secret in service.get("secrets", []):
        must(secret in document["secrets"], f"{name} has the secret {secret}, which is none")
    words = service.get("command", [])
    variables = service.get("environment", {})
    for variable, value in variables.items():
        inside = re.match(r"/run/secrets/(.+)", str(value))
        must(not inside or inside[1] in service["secrets"], f"{name}: {variable} names {value}, which it has not")
    grace = int(service["stop_grace_period"].removesuffix("s"))
    if name != "database":
        drains = int(words[words.index("--drain-seconds") + 1]) if "--drain-seconds" in words else 30
        must(grace == drains + 15, f"{name} is killed before its jobs have ended")
    return Form(f"compose-{name}", [str(word) for word in words], {k: str(v) for k, v in variables.items()})


def check_words(form: Form, known: str) -> None:
    """Flags and variables are those of the program's own help."""
    must(form.words[0] == "serve", f"{form.name} runs {form.words[:1]}")
    for word in form.words:
        must(not word.startswith("--") or re.search(rf"{word}\b", known), f"{form.name}: `{word}` is no flag")
    for variable in form.variables:
        named = not variable.startswith("TRELLIS_") or f"${variable}`" in known
        must(named, f"{form.name}: `{variable}` is no variable")


def check_units(program: Path, folder: Path) -> None:
    """As systemd reads them, with a program and a user that are here."""
    if not shutil.which("systemd-analyze"):
        print("skipped: systemd-analyze is not here (package systemd)")
        return
    for path in sorted((FOLDER / "systemd").glob("*.service")):
        copy = folder / path.name
        text = path.read_text().replace("/usr/local/bin/trellis", str(program))
        copy.write_text(re.sub("^(User|Group)=trellis$", r"\1=daemon", text, flags=re.M))
        read = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
        )
        said = [line for line in read.stderr.splitlines() if path.name in line]
        must(read.returncode == 0 and not said, f"{path.name}: {read.stderr}")


class Started:
    """A server as a form starts it, with this machine's folders in the place of the form's."""

    def __init__(self, program: Path, folder: Path, form: Form, places: dict[str, str]) -> None:
        def here(text: str) -> str:
            for theirs, ours in places.items():
                text = text.replace(theirs, ours)
            return text

        self.form, self.folder = form, folder / form.name
        self.folder.mkdir()
        variables = {name: here(value) for name, value in form.variables.items()}
        # A model, a Python with torch and a GPU are not here.
        for name in ("TRELLIS_MODEL_PATH", "TRELLIS_WORKER_PYTHON"):
            variables.pop(name, None)
        variables |= {"HOME": str(self.folder), "PATH": os.environ["PATH"], "TRELLIS_DATA_DIR": str(self.folder / "data")}
        variables |= {"TRELLIS_BACKEND": "relief", "TRELLIS_METRICS_LISTEN": ""}
        words = [here(word) for word in form.words]
        if "--metrics-listen" in words:
            words[words.index("--metrics-listen") + 1] = "127.0.0.1:0"
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(program), *words], stdout=log, stderr=log, env=variables)
        self.port = 0

    def address(self) -> int:
        def bound() -> int:
            text = self.log.read_text(errors="replace")
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.form.name} ended: {text}")
            found = re.search(r"serves on http://[0-9.]+:(\d+)", text)
            return int(found[1]) if found else 0

        self.port = until(f"{self.form.name} serves", 60, bound)
        return self.port

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        must(self.process.wait(60) == 0, f"{self.form.name} did not end well: {self.log.read_text(errors='replace')}")


def run(program: Path, folder: Path, database: Postgres, forms: tuple[Form, Form], key: str) -> None:
    """A job that is sent to the one is made by the other."""
    name = forms[0].name
    database.ask("DROP SCHEMA IF EXISTS trellis CASCADE")
    secrets, files = folder / f"{name}-secrets", folder / f"{name}-files"
    secrets.mkdir()
    for secret, text in (("store-password", "none is asked for"), ("api-keys", f"studio {key}")):
        (secrets / secret).write_text(text + "\n")
        (secrets / secret).chmod(0o400)
    places = {
        "postgres://trellis@database/trellis?sslmode=disable": f"postgres://trellis@{database.url_host}/postgres",
        "postgres://trellis@db.studio.example/trellis": f"postgres://trellis@{database.url_host}/postgres",
        "/run/secrets": str(secrets),
        "%d": str(secrets),
        "%C": str(folder / "cache"),
        "/srv/trellis": str(files),
    }
    started = [Started(program, folder, form, places) for form in forms]
    try:
        api = started[0]
        body = b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        body += png(64, 48) + b"\r\n--cut--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=cut", "authorization": f"Bearer {key}"}
        api.address()
        answer = ask(api, "POST /v1/jobs", body, {"content-type": headers["content-type"]})  # type: ignore[arg-type]
        must(answer.status == 401, f"{name} takes a job without a key: {answer.status}")
        answer = ask(api, "POST /v1/jobs", body, headers)  # type: ignore[arg-type]
        must(answer.status == 202, f"{name} takes no job: {answer.status} {answer.content!r}")
        job = answer.json()["id"]

        def ended() -> dict[str, Any] | None:
            found = ask(api, f"GET /v1/jobs/{job}", None, headers).json()  # type: ignore[arg-type]
            return found if found["state"] in FINAL else None

        done = until("the job ends", 60, ended)
        must(done["state"] == "succeeded", f"{name}: {done}")
        print(f"{name}: a job that it took was made by {forms[1].name}", flush=True)
    finally:
        for server in started:
            server.stop()


def main() -> int:
    program, folder = Path(sys.argv[1]), Path(sys.argv[2])
    known = subprocess.run([str(program), "serve", "--help"], capture_output=True, text=True, check=True).stdout
    document = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    units = (of_unit(FOLDER / "systemd/trellis-api.service"), of_unit(FOLDER / "systemd/trellis-worker.service"))
    of_compose("database", document)
    compose = (of_compose("api", document), of_compose("worker", document))
    for form in units + compose:
        check_words(form, known)
    check_units(program, folder)
    database = Postgres(folder / "database", HERE)
    database.make()
    database.start()
    try:
        # It listens on a port here rather than on the socket of its folder.
        api = units[0]
        where = api.words.index("--socket")
        api.words[where : where + 2] = ["--port", "0"]
        api.variables["TRELLIS_AUTH_KEYS_FILE"] = "%d/api-keys"
        key = "only-for-this-test-0123456789"
        run(program, folder, database, units, key)
        run(program, folder, database, (compose[0].with_words(["--port", "0"]), compose[1]), key)
    except Unanswered as error:
        must(False, f"no answer: {error}")
    finally:
        database.stop()
    print(f"{len(problems)} wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
