#!/usr/bin/env python3
"""Runs the scenario against the real server as plain processes: what systemd does, in miniature.

    processes.py PROGRAM ARGUMENT...

Holds the socket over restarts and hands it on (LISTEN_FDS), hears what the server says (NOTIFY_SOCKET,
WATCHDOG_USEC), gives it the API keys as credentials, starts it again when a signal killed it, and stops
it with SIGTERM. As root, the server is in a network of its own, as with PrivateNetwork.
"""

import ctypes
import os
import pathlib
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile

SCENARIO = pathlib.Path(__file__).parent / "scenario.py"
WATCHDOG_SECONDS = 4
LIMIT_SECONDS = 120
CLONE_NEWNET = 0x40000000


class Manager:
    def __init__(self, folder: pathlib.Path, command: list[str]) -> None:
        self.folder = folder
        self.command = command
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(str(folder / "notify"))
        self.notifications.setblocking(False)
        # What each of the processes said, the first one first.
        self.said: list[list[str]] = []
        self.pid = 0

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "STATE_DIRECTORY": str(self.folder / "state"),
            "CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000),
            "LISTEN_FDS": "1",
        }
        self.said.append([])
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if os.geteuid() == 0:
                    own_network()
                os.dup2(self.listener.fileno(), 3)
                # Apart from dup2, which leaves a descriptor alone that is number 3 already.
                os.set_inheritable(3, True)
                environment["LISTEN_PID"] = str(os.getpid())
                log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(log, 1)
                os.dup2(log, 2)
                os.execve(self.command[0], self.command, environment)
            finally:
                os._exit(127)
        (self.folder / "pid").write_text(str(self.pid))

    def hear(self) -> None:
        while select.select([self.notifications], [], [], 0)[0]:
            self.said[-1] += self.notifications.recv(4096).decode().splitlines()

    def ended(self) -> int | None:
        """The exit code of the process, or less than 0 for the signal that killed it."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def run(self, scenario: subprocess.Popen) -> int:
        """Starts the server as often as it is killed, until the scenario is over."""
        self.start()
        ended = os.pidfd_open(scenario.pid)
        while True:
            server = os.pidfd_open(self.pid)
            ready, _, _ = select.select(
                [ended, server, self.notifications], [], [], LIMIT_SECONDS
            )
            self.hear()
            os.close(server)
            fault = "" if ready else f"nothing happened for {LIMIT_SECONDS} s"
            if (code := self.ended()) is not None:
                if code >= 0:
                    fault = f"the server ended by itself with {code}"
                else:
                    self.start()
            if fault:
                scenario.kill()
                sys.exit(f"{(self.folder / 'log').read_text()}\nFAILED {fault}")
            if scenario.poll() is not None:
                return scenario.returncode

    def stop(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        _, status = os.waitpid(self.pid, 0)
        self.hear()
        return os.waitstatus_to_exitcode(status)


def own_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot leave the network")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="trellis-scenario-") as name:
        folder = pathlib.Path(name)
        (folder / "state").mkdir()
        (folder / "credentials").mkdir()
        key = secrets.token_hex(16)
        keys = folder / "credentials" / "api-keys"
        keys.write_text(f"scenario {key}\n")
        keys.chmod(0o400)

        manager = Manager(folder, sys.argv[1:])
        host, port = manager.address
        pid = f"cat {folder}/pid"
        scenario = subprocess.Popen(
            [sys.executable, SCENARIO]
            + ["--url", f"http://{host}:{port}", "--key", key]
            + ["--pid", pid, "--kill", f"kill -9 $({pid})"]
        )
        code = manager.run(scenario)
        stopped = manager.stop()

        faults = [] if code == 0 else [f"the scenario ended with {code}"]
        if stopped != 0:
            faults.append(f"SIGTERM ended the server with {stopped}")
        if len(manager.said) != 2:
            faults.append(f"the server was started {len(manager.said)} times, not twice")
        for said in manager.said:
            if not {"READY=1", "WATCHDOG=1"} <= set(said):
                faults.append(f"a server did not say that it is ready and alive: {said}")
        if "STOPPING=1" not in manager.said[-1]:
            faults.append(f"the server did not say that it stops: {manager.said[-1]}")
        if faults:
            sys.exit(f"{(folder / 'log').read_text()}\nFAILED " + "; ".join(faults))
        print("ok the server said that it was ready, alive and stopping")


main()
