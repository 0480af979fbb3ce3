"""Measures `trellis doctor` and `ldd -r` on two cores, in one run; see doctor.sh."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORES = 2
ROUNDS = 5
LIBRARY = re.compile(r".*\.so(\.[0-9]+)*")


def doctor(trellis: str, environment: str) -> tuple[float, int]:
    """Seconds, and bytes of the most memory that was resident: pages of mapped files count."""
    command = [trellis, "doctor", "--env", environment, "--capability", "12.0", "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 2):
        sys.exit(f"the doctor ended with {process.returncode}")
    return seconds, used.ru_maxrss * 1024


def ldd(libraries: list[Path]) -> float:
    """Seconds for all libraries, as many at a time as there are cores."""

    def one(library: Path) -> None:
        # It fails where a symbol of Python or the driver is not there, after it has looked all of them up.
        subprocess.run(["ldd", "-r", str(library)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    start = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(one, libraries))
    return time.perf_counter() - start


def main() -> None:
    environment, trellis = sys.argv[1:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    files = [Path(folder) / name for folder, _, names in os.walk(environment) for name in names]
    libraries = [file for file in files if LIBRARY.fullmatch(file.name) and file.is_file()]
    size = sum(file.stat().st_size for file in libraries)
    doctor(trellis, environment)  # the files' headers are in the page cache from here on
    runs = [doctor(trellis, environment) for _ in range(ROUNDS)]
    seconds, memory = min(run[0] for run in runs), max(run[1] for run in runs)
    theirs = ldd(libraries)
    print(f"{len(libraries)} libraries, {size / 1e9:.1f} GB, {CORES} cores\n")
    print("| what | time | most memory |\n|---|---:|---:|")
    print(f"| `trellis doctor`, least of {ROUNDS} warm runs | {seconds:.2f} s | {memory / 1e6:.0f} MB |")
    print(f"| `ldd -r`, each library once | {theirs:.1f} s | |")
    print(f"\nThe doctor takes 1/{theirs / seconds:.0f} of the time")


if __name__ == "__main__":
    main()
