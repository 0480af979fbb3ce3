"""From what libraries raise to a kind and a sentence."""

from __future__ import annotations

import errno
import unittest
from subprocess import CalledProcessError

from trellis_worker.failures import _MEANT, _SYMPTOMS, TRACEBACK_LIMIT, OfflineAttempt, WorkerError, report
from trellis_worker.protocol import Kind


class OutOfMemoryError(RuntimeError):
    """Known by its name: torch is not there to import it from."""


# What was raised, the kind, and a part of the sentence.
TABLE: list[tuple[BaseException, Kind, str]] = [
    (
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"),
        Kind.GPU_OUT_OF_MEMORY,
        "2.00 GiB more were needed",
    ),
    (RuntimeError("CUDA error: out of memory"), Kind.GPU_OUT_OF_MEMORY, "in stage `decode`"),
    (
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        Kind.NO_KERNEL_IMAGE,
        "no code for this GPU",
    ),
    (
        NotImplementedError("No operator found for `memory_efficient_attention_forward` with inputs"),
        Kind.NO_KERNEL_IMAGE,
        "no code for this GPU",
    ),
    (
        NotImplementedError("No operator found for `x`: xFormers wasn't build with CUDA support"),
        Kind.EXTENSION_ABI,
        "another torch",
    ),
    (
        ImportError("/nix/store/x/_C.so: undefined symbol: _ZN3c104cuda9SetDeviceEab"),
        Kind.EXTENSION_ABI,
        "`_C.so` was built for another torch: it needs the symbol `_ZN3c104cuda9SetDeviceEab`",
    ),
    (
        ModuleNotFoundError("No module named 'spconv.core'", name="spconv.core"),
        Kind.EXTENSION_MISSING,
        "`spconv`",
    ),
    (
        ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
        Kind.EXTENSION_MISSING,
        "the library `libGL.so.1` was not found",
    ),
    (
        ImportError("libcuda.so.1: cannot open shared object file: No such file or directory"),
        Kind.DRIVER_MISSING,
        "no NVIDIA driver",
    ),
    (
        RuntimeError("Failed to find C compiler. Please specify via CC environment variable or set"),
        Kind.EXTENSION_MISSING,
        "no C compiler: install `gcc`, or set `CC` (in stage `decode`)",
    ),
    (
        CalledProcessError(1, ["/usr/bin/gcc", "main.c", "-O3", "-shared", "-fPIC", "-Wno-psabi", "-lcuda"]),
        Kind.EXTENSION_MISSING,
        "Triton's C compiler failed: often Python's headers are missing",
    ),
    (
        AttributeError("module 'cumesh' has no attribute 'CuMesh'"),
        Kind.EXTENSION_MISSING,
        "another package is installed as `cumesh`",
    ),
    (RuntimeError("Cannot find ptxas"), Kind.EXTENSION_MISSING, "set `TRITON_PTXAS_PATH`"),
    (
        AssertionError("libcuda.so cannot found!\nPlease make sure GPU is set up"),
        Kind.EXTENSION_MISSING,
        "set `TRITON_LIBCUDA_PATH` to its folder",
    ),
    (
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/sbin/ldconfig"),
        Kind.EXTENSION_MISSING,
        "set `TRITON_LIBCUDA_PATH` to `libcuda.so.1`'s folder",
    ),
    (RuntimeError("Found no NVIDIA driver on your system."), Kind.DRIVER_MISSING, "no NVIDIA driver"),
    (RuntimeError("No CUDA GPUs are available"), Kind.DRIVER_MISSING, "the driver found no GPU"),
    (
        RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
        Kind.DRIVER_TOO_OLD,
        "too old",
    ),
    (
        RuntimeError("CUDA driver version is insufficient for CUDA runtime version"),
        Kind.DRIVER_TOO_OLD,
        "too old",
    ),
    (OfflineAttempt("https://hf.co/x", "pin it"), Kind.OFFLINE_DOWNLOAD_ATTEMPT, "`https://hf.co/x`"),
    (OSError(errno.ENOSPC, "No space left on device"), Kind.STORAGE_FULL, "no space"),
    (WorkerError(Kind.BAD_INPUT, "a picture is damaged"), Kind.BAD_INPUT, "a picture is damaged"),
    (RuntimeError("Error(s) in loading state_dict for X"), Kind.CHECKPOINT_CORRUPT, "state_dict"),
    (AssertionError("Input shape mismatch, got [1, 8]"), Kind.INTERNAL, "AssertionError in stage `decode`"),
]


def masked() -> BaseException:
    """What TRELLIS's loader makes of a full GPU."""
    try:
        try:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        except OutOfMemoryError:
            raise RuntimeError("401 Client Error. Repository Not Found for url: …")  # noqa: B904
    except RuntimeError as error:
        return error


class Failures(unittest.TestCase):
    def test_each_text_has_its_kind(self) -> None:
        for error, kind, part in TABLE:
            with self.subTest(str(error)):
                found = report(error, None, "in stage `decode`")
                self.assertEqual(found.kind, kind)
                self.assertIn(part, found.message)
                self.assertEqual(found.replace, kind is Kind.INTERNAL)

    def test_what_has_a_meaning_is_a_symptom(self) -> None:
        needles = [needle for kind, some in _SYMPTOMS if kind is Kind.EXTENSION_MISSING for needle in some]
        self.assertLessEqual(set(_MEANT), set(needles))

    def test_the_first_exception_is_the_cause(self) -> None:
        found = report(masked(), None, "while loading `slat_flow_model`")
        self.assertEqual(found.kind, Kind.GPU_OUT_OF_MEMORY)
        self.assertNotIn("Repository", found.message)
        self.assertTrue(found.causes[0].startswith("OutOfMemoryError"))
        self.assertTrue(found.causes[1].startswith("RuntimeError: 401"))

    def test_a_long_text_is_cut(self) -> None:
        found = report(RuntimeError("ü" * 10 * TRACEBACK_LIMIT), None, "")
        self.assertLessEqual(len(found.traceback.encode("utf-8")), TRACEBACK_LIMIT)
        self.assertLess(len(found.message), 400)

    def test_a_circle_of_causes_ends(self) -> None:
        first, second = RuntimeError("a"), RuntimeError("b")
        first.__context__, second.__context__ = second, first
        self.assertEqual(len(report(first, None, "").causes), 2)
