"""A small disk of its own, which can be slow, hang or be full: a file with a file system in it, as a loop device."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Limits of the control group that all processes and the kernel's own writers are in. In version 2 that group has none,
# and another one would leave out what the file system's journal writes.
WRITES = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device")


class Disk:
    """Where none can be made, a plain folder, and `why_not` says why."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        self.filler = folder / "filler"
        self.hangs = False
        folder.mkdir()
        self.why_not = self.mount(mebibytes)
        folder.chmod(0o777)

    def mount(self, mebibytes: int) -> str:
        # What is mounted outside of a namespace of its own would stay if this is killed.
        if os.geteuid() != 0 or os.getpid() != 1:
            return "mounting a disk needs root and namespaces"
        image = self.folder.with_suffix(".image")
        with image.open("wb") as file:
            file.truncate(mebibytes << 20)
        make = ["mkfs.ext4", "-q", "-F", "-m", "0", str(image)]
        for command in (make, ["mount", "-o", "loop", str(image), str(self.folder)]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return f"no disk can be mounted here ({done.stderr.strip()})"
        # Set by nobody now, whoever had the device before.
        self.fast()
        return ""

    @property
    def why_not_slow(self) -> str:
        return self.why_not or ("" if WRITES.exists() else "no limits of disks here (control groups of version 1)")

    def slow(self, writes_a_second: int) -> None:
        """From now on it does no more than so many."""
        number = self.folder.stat().st_dev
        WRITES.write_text(f"{os.major(number)}:{os.minor(number)} {writes_a_second}\n")

    def fast(self) -> None:
        if WRITES.exists():
            self.slow(0)

    def hang(self) -> None:
        """From now on whoever changes something waits, as for a file server that does not answer."""
        subprocess.run(["fsfreeze", "--freeze", str(self.folder)], check=True)
        self.hangs = True

    def go_on(self) -> None:
        if self.hangs:
            subprocess.run(["fsfreeze", "--unfreeze", str(self.folder)], check=True)
        self.hangs = False

    def fill(self) -> None:
        """To the last block."""
        with self.filler.open("ab") as file:
            step = 16 << 20
            # Small file systems have blocks of 1 KiB.
            while step >= 1024:
                try:
                    size = os.fstat(file.fileno()).st_size
                    os.posix_fallocate(file.fileno(), size, step)
                except OSError:
                    step //= 2

    def empty(self) -> None:
        self.filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        if not self.why_not:
            self.go_on()
            self.fast()
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
