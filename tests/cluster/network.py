"""Machines in networks of their own: a front one for clients, a back one for databases and storage.

Each machine is a network namespace with a cable to a bridge for either. A cable that is pulled swallows what is sent
and tells nobody, as if a switch had failed. All of it is in the namespace that run.sh begins with: nothing of this
machine changes.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FRONT, BACK = "10.77.0", "10.78.0"
# Of the clients and the storage, which are in no namespace of their own.
OURS = 254


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Machine:
    """A place to start programs in."""

    def __init__(self, name: str, number: int | None) -> None:
        self.name, self.number = name, number
        if number is None:
            return
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
        for side, bridge, network in (("f", "front", FRONT), ("b", "back", BACK)):
            cable = f"{side}{number}"
            ip("link", "add", cable, "type", "veth", "peer", "name", bridge, "netns", name)
            ip("-n", name, "address", "add", f"{network}.{number}/24", "dev", bridge)
            ip("-n", name, "link", "set", bridge, "up")
            ip("link", "set", cable, "master", bridge, "up")

    @property
    def front(self) -> str:
        """Where clients reach it."""
        return "127.0.0.1" if self.number is None else f"{FRONT}.{self.number}"

    @property
    def back(self) -> str:
        return f"{BACK}.{self.number}"

    def command(self, command: list[str]) -> list[str]:
        """The same, in there."""
        return command if self.number is None else ["ip", "netns", "exec", self.name, *command]

    def cut(self) -> None:
        """From the databases and the storage."""
        ip("link", "set", f"b{self.number}", "nomaster")

    def join(self) -> None:
        """Again, or still."""
        if self.number is not None:
            ip("link", "set", f"b{self.number}", "master", "back")


HERE = Machine("here", None)
"""This one."""


class Network:
    """Those machines, where this process may make them; else all are this one."""

    def __init__(self) -> None:
        self.machines = 0
        self.why_not = self.prepare()

    def prepare(self) -> str:
        """Why there are no machines of their own."""
        if os.geteuid() != 0:
            return "network namespaces need root"
        if os.getpid() != 1:
            return "run.sh cannot make namespaces here"
        try:
            Path("/run/netns").mkdir(exist_ok=True)
            # The names of namespaces are this run's own.
            subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], check=True, capture_output=True)
            ip("link", "set", "lo", "up")
            for bridge, network in (("front", FRONT), ("back", BACK)):
                ip("link", "add", bridge, "type", "bridge")
                ip("address", "add", f"{network}.{OURS}/24", "dev", bridge)
                ip("link", "set", bridge, "up")
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            return f"no networks can be made here ({error})"
        return ""

    def machine(self, name: str) -> Machine:
        self.machines += 1
        return Machine(name, None if self.why_not else self.machines)

    @property
    def ours(self) -> str:
        """Where the machines reach what is started here."""
        return "127.0.0.1" if self.why_not else f"{BACK}.{OURS}"
