"""Families are kept apart from what they share."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace

from trellis_worker.families import MODULES, family_of
from trellis_worker.families.trellis1 import DECODERS, SAMPLERS, USED_BY, Own, _listening
from trellis_worker.family import Run, own_params
from trellis_worker.placement import Placement
from trellis_worker.protocol import Format, Params, ProtocolError
from trellis_worker.stages import Stages

from .kit import ROOT, Recorded, snapshot

PACKAGE = ROOT / "worker" / "trellis_worker"


def imported(file: Path) -> set[str]:
    """The modules that a file names, at its head or later."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


class Apart(unittest.TestCase):
    def test_nothing_outside_names_a_family_or_its_library(self) -> None:
        for file in sorted({*PACKAGE.rglob("*.py")} - {*(PACKAGE / "families").glob("*.py")}):
            for name in imported(file):
                first = name.split(".")[0]
                self.assertNotIn(first, {"trellis", "trellis2"}, file.name)
                for module in MODULES.values():
                    self.assertNotIn(module, name.split("."), file.name)

    def test_a_family_is_imported_only_when_it_is_asked_for(self) -> None:
        program = (
            "import sys, trellis_worker.session, trellis_worker.families as families\n"
            "def there(): return [name for name in sys.modules if name.startswith(families.__name__ + '.')]\n"
            "assert there() == [], there()\n"
            "families.family_of('trellis2-4b')\n"
            "own = families.__name__ + '.trellis2'\n"
            "assert own in there() and all(name.startswith(own) for name in there()), there()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT / "worker",
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_model_of_the_server_has_a_family(self) -> None:
        page = (ROOT / "docs" / "parameters.md").read_text("utf-8")
        self.assertEqual(list(MODULES), re.findall(r"^## For `(.+)`$", page, re.MULTILINE))
        for model in MODULES:
            self.assertEqual(
                family_of(model).__class__.__module__, f"trellis_worker.families.{MODULES[model]}"
            )

    def test_what_is_made_as_a_draft_says_so(self) -> None:
        message = snapshot("to_worker.generate")["params"]
        for quality, expected in (("exact", 1), ("draft", 2)):
            message.update(formats=[*Format], quality=quality)
            notes = family_of("trellis-image-large").notes(Params.from_json(message), None)
            self.assertEqual(len(notes), expected, notes)
        self.assertIn("loses detail (published: F-score 0.841 to 0.823)", notes[0])


class Recordings(unittest.TestCase):
    def test_an_exact_job_in_low_vram_mode_forgets_what_earlier_ones_recorded(self) -> None:
        params = Params.from_json({**snapshot("to_worker.generate")["params"], "quality": "exact"})
        for low_vram in (False, True):
            flow = Recorded()
            samplers = {name: SimpleNamespace(sample_once=None) for name, _ in SAMPLERS.values()}
            methods = dict.fromkeys([*USED_BY, "decode_slat"])
            decoder = SimpleNamespace(mesh_extractor=SimpleNamespace())
            placement = Placement({}, "cpu", lambda: None)
            placement.low_vram = low_vram
            stages = Stages(lambda *_step: None, threading.Event(), lambda: None)
            for recorded in (flow, None):
                pipeline = SimpleNamespace(
                    models={DECODERS["mesh"]: decoder}, recorded_flow=recorded, **samplers, **methods
                )
                with _listening(Run(pipeline, placement, stages, params), Own.of(params)):
                    self.assertEqual(flow.forgot, low_vram)


class Parameters(unittest.TestCase):
    def test_the_models_own_are_those_of_the_server(self) -> None:
        params = Params.from_json(snapshot("to_worker.generate")["params"])
        self.assertEqual(params.model, "trellis-image-large")
        self.assertEqual(set(params.own), set(Own.__dataclass_fields__))
        self.assertEqual(own_params(Own, params).ss_guidance_strength, 7.5)

    def test_one_that_is_missing_is_named(self) -> None:
        message = snapshot("to_worker.generate")["params"]
        del message["slat_sampling_steps"]
        with self.assertRaisesRegex(ProtocolError, "slat_sampling_steps"):
            own_params(Own, Params.from_json(message))
