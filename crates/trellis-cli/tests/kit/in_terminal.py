"""Runs a command in a terminal of its own: `in_terminal.py COLUMNS ROWS STEPS COMMAND…`.

STEPS is a JSON list of `{"wait": TEXT}`, `{"send": KEYS}`, `{"size": [COLUMNS, ROWS]}`, `{"signal": NUMBER}` and
`{"run": [COMMAND…]}`. A text is waited for on the screen, which is kept here as a terminal would: only
cells that change are drawn. Prints JSON: the exit code, everything that was printed, whether the terminal is set as
before, and the text that did not come.
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

LIMIT_SECONDS = 30
PIECES = re.compile(r"\x1b\[(?P<values>[0-9;?]*)(?P<letter>[A-Za-z])|\x1b.|(?P<text>[^\x1b])", re.DOTALL)


def resize(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def screen(printed: str) -> str:
    """What is to be seen after all this was printed; of the escape sequences those that move and clear."""
    cells: dict[tuple[int, int], str] = {}
    row = column = 0
    for piece in PIECES.finditer(printed):
        text, letter = piece["text"], piece["letter"]
        if text == "\n":
            row += 1
        elif text == "\r":
            column = 0
        elif text is not None:
            cells[row, column] = text
            column += 1
        elif letter == "H":
            row, column = (int(value) - 1 for value in (piece["values"] or "1;1").split(";"))
        elif letter == "J":
            cells.clear()
    lines: dict[int, dict[int, str]] = {}
    for (row, column), text in cells.items():
        lines.setdefault(row, {})[column] = text
    return "\n".join(
        "".join(line.get(column, " ") for column in range(max(line) + 1)) for _, line in sorted(lines.items())
    )


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

    def shown(text: str) -> bool:
        return text in screen(output.decode(errors="replace"))

    missing = None
    for step in json.loads(steps):
        if "wait" in step:
            while not shown(step["wait"]) and time.monotonic() < deadline:
                read()
            if not shown(step["wait"]):
                missing = step["wait"]
                break
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
        missing = missing or "the end"
        child.kill()
    while select.select([ours], [], [], 0)[0]:
        output += os.read(ours, 65536)
    restored = termios.tcgetattr(theirs) == before
    text = output.decode(errors="replace")
    print(json.dumps({"code": child.wait(), "output": text, "restored": restored, "missing": missing}))


main()
