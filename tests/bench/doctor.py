"""Measures `trellis doctor` and `ldd -r` on two cores, in one run; see doctor.sh."""

import os
import re
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORES = 2
ROUNDS = 5
LIBRARY = re.compile(r".*\.so(\.[0-9]+)*")


def doctor(trellis: str, environment: str) -> tuple[float, float, int]:
    """Seconds, seconds of the processors, and the most bytes that were resident: pages of mapped files count."""
    command = [trellis, "doctor", "--env", environment, "--capability", "12.0", "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 2):
        sys.exit(f"the doctor ended with {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def ldd(libraries: list[Path]) -> tuple[float, float]:
    """Seconds for all libraries, as many at a time as there are cores, and seconds of the processors."""

    def one(library: Path) -> None:
        # It fails where a symbol of Python or the driver is not there, after it has looked all of them up.
        subprocess.run(["ldd", "-r", str(library)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(one, libraries))
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    environment, trellis = sys.argv[1:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    files = [Path(folder) / name for folder, _, names in os.walk(environment) for name in names]
    libraries = [file for file in files if LIBRARY.fullmatch(file.name) and file.is_file()]
    size = sum(file.stat().st_size for file in libraries)
    doctor(trellis, environment)  # the files' headers are in the page cache from here on
    runs = [doctor(trellis, environment) for _ in range(ROUNDS)]
    seconds, processor, memory = min(run[0] for run in runs), min(run[1] for run in runs), max(run[2] for run in runs)
    their_seconds, their_processor = ldd(libraries)
    print(f"{len(libraries)} libraries, {size / 1e9:.1f} GB, {CORES} cores\n")
    print("| what | time | of the processors | most memory |\n|---|---:|---:|---:|")
    print(
        f"| `trellis doctor`, least of {ROUNDS} warm runs | {seconds:.2f} s | {processor:.2f} s "
        f"| {memory / 1e6:.0f} MB |"
    )
    print(f"| `ldd -r`, each library once | {their_seconds:.1f} s | {their_processor:.1f} s | |")
    print(f"\nThe processors work 1/{their_processor / processor:.0f} as long for the doctor")


if __name__ == "__main__":
    main()
