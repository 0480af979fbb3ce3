"""The switch between TRELLIS's own code and the faster ways."""

from __future__ import annotations

from .kit import WorkerCase


class Quality(WorkerCase):
    def test_what_is_asked_for_is_said(self) -> None:
        self.assertIn("TRELLIS_WORKER_QUALITY=exact", self.start().load()["determinism"])

    def test_an_unknown_name_is_refused_with_those_that_are_known(self) -> None:
        self.variables = {"TRELLIS_WORKER_QUALITY": "balansed"}
        answer = self.start().load()
        self.assertEqual(answer["type"], "failed")
        self.assertEqual(
            answer["message"], "`TRELLIS_WORKER_QUALITY` is `balansed`, but must be `exact` or `balanced`"
        )
