"""Modules that wait until something of them is used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

WORKER = Path(__file__).resolve().parents[1]
LIBRARY = (
    'print("imported")\n'
    "class Context:\n"
    "    def __init__(self, side):\n"
    "        self.side = side\n"
    "def draw():\n"
    "    return 7\n"
)
# As utils3d and TRELLIS use theirs.
USER = (
    "from typing import Union\n"
    "import slow.torch as dr\n"
    "def make(context: Union[dr.Context, dr.Other] = None):\n"
    "    return dr.Context(3)\n"
    "def draw():\n"
    "    return dr.draw()\n"
)


class Deferred(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "user.py").write_text(USER, "utf-8")

    def run_python(self, program: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", f"from trellis_worker.deferred import defer\n{program}"],
            env={**os.environ, "PYTHONPATH": f"{WORKER}:{self.folder}"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def install(self) -> None:
        (self.folder / "slow").mkdir()
        (self.folder / "slow/__init__.py").write_text("", "utf-8")
        (self.folder / "slow/torch.py").write_text(LIBRARY, "utf-8")

    def test_what_is_not_used_is_not_imported_and_need_not_be_there(self) -> None:
        self.assertEqual(self.run_python('defer("slow.torch")\nimport user\nprint("done")'), ["done"])

    def test_a_class_is_made_by_the_module_itself(self) -> None:
        self.install()
        program = 'defer("slow.torch")\nimport user\nprint("before", user.make().side, user.draw())'
        self.assertEqual(self.run_python(program), ["imported", "before", "3", "7"])

    def test_a_function_is_the_modules_own(self) -> None:
        self.install()
        program = (
            'defer("slow.torch")\nimport user, sys\nprint(user.draw(), sys.modules["slow.torch"].draw())'
        )
        self.assertEqual(self.run_python(program), ["imported", "7", "7"])

    def test_a_module_that_is_there_stays(self) -> None:
        self.install()
        program = 'import slow.torch as one\ndefer("slow.torch")\nimport slow.torch\nprint(one is slow.torch)'
        self.assertEqual(self.run_python(program), ["imported", "True"])

    def test_a_missing_one_is_named_once_it_is_used(self) -> None:
        program = (
            'defer("slow.torch")\nimport user\n'
            "try:\n    user.draw()\nexcept ModuleNotFoundError as error:\n    print(error.name)"
        )
        self.assertEqual(self.run_python(program), ["slow"])


if __name__ == "__main__":
    unittest.main()
