"""From an exception to a kind, a sentence, and the chain of causes.

The first exception of a chain is the cause; what was raised while handling it is not. TRELLIS's loader, for
one, retries under another name inside a bare `except:`, and only the retry's error is what users see.
"""

from __future__ import annotations

import errno
import json
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from .protocol import Failed, Kind

TRACEBACK_LIMIT = 64 * 1024
CAUSE_LIMIT = 2000
MESSAGE_LIMIT = 300


class WorkerError(Exception):
    """A failure whose kind is known where it is raised."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class OfflineAttempt(OSError):
    """Something tried to reach the network. An `OSError`, so that code that can do without it carries on."""

    def __init__(self, target: str, pin: str) -> None:
        super().__init__(errno.ENETUNREACH, f"the network is off, but `{target}` was requested: {pin}")
        self.target = target
        self.pin = pin


class Cancelled(BaseException):
    """The job was cancelled. Not an `Exception`, so that no library swallows it."""


def chain(error: BaseException) -> list[BaseException]:
    """The exceptions behind `error`, first cause first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found[::-1]


# What the libraries say, most telling first and in lower case; the server and the doctor read the same table.
_SYMPTOMS: list[tuple[Kind, list[str]]] = [
    (Kind(kind), needles)
    for kind, needles in json.loads(Path(__file__).with_name("symptoms.json").read_text("utf-8"))
]


def kind_of(error: BaseException) -> Kind:
    """The kind of one exception by itself; `INTERNAL` if nothing matches."""
    if isinstance(error, WorkerError):
        return error.kind
    if isinstance(error, OfflineAttempt):
        return Kind.OFFLINE_DOWNLOAD_ATTEMPT
    text = f"{type(error).__name__}: {error}".lower()
    for kind, needles in _SYMPTOMS:
        if any(needle in text for needle in needles):
            return kind
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Kind.STORAGE_FULL
    if isinstance(error, ImportError):
        return Kind.EXTENSION_MISSING
    return Kind.INTERNAL


def _cause(error: BaseException) -> tuple[Kind, BaseException]:
    """The kind and the exception that says it best: a `WorkerError` of that kind if there is one."""
    links = chain(error)
    kinds = [(kind_of(link), link) for link in links]
    telling = next((found for found in kinds if found[0] is not Kind.INTERNAL), (Kind.INTERNAL, links[0]))
    ours = (found for found in kinds if isinstance(found[1], WorkerError) and found[0] is telling[0])
    return next(ours, telling)


# What is said, in lower case, where Triton lacks what it compiles with or a package is another of that name,
# and what that means.
_MEANT = {
    "failed to find c compiler": "Triton found no C compiler: install `gcc`, or set `CC`",
    "'-shared', '-fpic', '-wno-psabi'": "Triton's C compiler failed: often Python's headers are missing",
    "cannot find ptxas": "Triton found no `ptxas`: install its own wheel, or set `TRITON_PTXAS_PATH`",
    "libcuda.so cannot found": "Triton found no `libcuda.so.1`: set `TRITON_LIBCUDA_PATH` to its folder",
    "module 'cumesh' has no attribute": "another package is installed as `cumesh`: build CuMesh from source",
    "'/sbin/ldconfig'": "Triton found no `ldconfig`: set `TRITON_LIBCUDA_PATH` to `libcuda.so.1`'s folder",
}


def _missing_module(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the Python package `{error.name.partition('.')[0]}` is not installed"
    library = re.search(r"([\w.+-]+\.so[\w.]*): cannot open", str(error))
    if library:
        return f"the library `{library[1]}` was not found"
    text = str(error).lower()
    known = (meaning for needle, meaning in _MEANT.items() if needle in text)
    return next(known, _short(error))


def _symbol(error: BaseException) -> str:
    found = re.search(r"([\w.+-]+\.so[\w.]*): undefined symbol: (\w+)", str(error))
    if found:
        return f"`{found[1]}` was built for another torch: it needs the symbol `{found[2]}`"
    return f"a compiled extension was built for another torch: {_short(error)}"


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _sentence(kind: Kind, cause: BaseException, where: str) -> str:
    if isinstance(cause, WorkerError):
        return str(cause)
    match kind:
        case Kind.GPU_OUT_OF_MEMORY:
            asked = re.search(r"[Tt]ried to allocate ([\d.]+ [KMG]iB)", str(cause))
            detail = f": {asked[1]} more were needed" if asked else ""
            return f"the GPU ran out of memory {where}{detail}"
        case Kind.EXTENSION_MISSING:
            return f"{_missing_module(cause)} ({where})"
        case Kind.EXTENSION_ABI:
            return f"{_symbol(cause)} ({where})"
        case Kind.NO_KERNEL_IMAGE:
            return f"a library has no code for this GPU ({where}): {_short(cause)}"
        case Kind.DRIVER_MISSING:
            return "no NVIDIA driver was found, or the driver found no GPU"
        case Kind.DRIVER_TOO_OLD:
            return "the NVIDIA driver is too old for this CUDA"
        case Kind.OFFLINE_DOWNLOAD_ATTEMPT if isinstance(cause, OfflineAttempt):
            return f"something tried to download `{cause.target}` {where}: {cause.pin}"
        case Kind.STORAGE_FULL:
            return f"no space left for the result ({where})"
        case Kind.BAD_INPUT:
            return f"a picture cannot be read: {_short(cause)}"
        case _:
            return f"{type(cause).__name__} {where}: {_short(cause)}"


def _cut(text: str) -> str:
    """Head and tail: the first frames and the last error say the most."""
    if len(text.encode("utf-8", "replace")) <= TRACEBACK_LIMIT:
        return text
    half = TRACEBACK_LIMIT // 8
    return f"{text[:half]}\n… cut …\n{text[-half:]}"


def _lines(error: BaseException) -> Iterator[str]:
    for link in chain(error):
        yield f"{type(link).__name__}: {link}"[:CAUSE_LIMIT]


def report(error: BaseException, job: str | None, where: str) -> Failed:
    """The message for a failure; `where` completes a sentence, such as "in stage `decode`"."""
    kind, cause = _cause(error)
    return Failed(
        job=job,
        kind=kind,
        message=_sentence(kind, cause, where),
        causes=list(_lines(error))[:20],
        traceback=_cut("".join(traceback.format_exception(error))),
        # After an unknown error the state of the process, of CUDA above all, is in doubt.
        replace=kind is Kind.INTERNAL,
    )
