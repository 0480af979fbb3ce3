"""Runs a command in a terminal of its own: `in_terminal.py COLUMNS ROWS STEPS COMMAND…`.

STEPS is a JSON list of `{"wait": TEXT}`, `{"send": KEYS}`, `{"size": [COLUMNS, ROWS]}`, `{"signal": NUMBER}` and
`{"run": [COMMAND…]}`. A text is waited for in what came since the step before, without escape sequences and blanks,
because unchanged cells are not drawn. Prints JSON: the exit code, everything that was printed, whether the terminal is
set as before, and the text that did not come.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

LIMIT_SECONDS = 60
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])|\s")


def resize(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main() -> None:
    columns, rows, steps, *command = sys.argv[1:]
    ours, theirs = pty.openpty()
    resize(theirs, int(columns), int(rows))
    before = termios.tcgetattr(theirs)
    child = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    deadline = time.monotonic() + LIMIT_SECONDS
    output = b""

    def read() -> None:
        nonlocal output
        if select.select([ours], [], [], 0.05)[0]:
            output += os.read(ours, 65536)

    def shown(start: int) -> str:
        return ESCAPES.sub("", output[start:].decode(errors="replace"))

    missing = None
    start = 0
    for step in json.loads(steps):
        if "wait" in step:
            wanted = ESCAPES.sub("", step["wait"])
            while wanted not in shown(start) and time.monotonic() < deadline:
                read()
            if wanted not in shown(start):
                missing = step["wait"]
                break
            continue
        start = len(output)
        if "send" in step:
            os.write(ours, step["send"].encode())
        if "size" in step:
            resize(theirs, *step["size"])
        if "signal" in step:
            child.send_signal(step["signal"])
        if "run" in step:
            subprocess.run(step["run"], check=True)
    if missing is not None:
        child.kill()
    while child.poll() is None and time.monotonic() < deadline:
        read()
    if child.poll() is None:
        missing = "the end"
        child.kill()
    while select.select([ours], [], [], 0)[0]:
        output += os.read(ours, 65536)
    restored = termios.tcgetattr(theirs) == before
    text = output.decode(errors="replace")
    print(json.dumps({"code": child.wait(), "output": text, "restored": restored, "missing": missing}))


main()
