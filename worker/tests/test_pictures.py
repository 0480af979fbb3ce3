"""Which pictures count as already cut out."""

from __future__ import annotations

import unittest

from trellis_worker.pictures import holds_a_mask


class Alpha(unittest.TestCase):
    def test_an_alpha_channel_that_tells_nothing_counts_as_none(self) -> None:
        for alpha in ((255, 255), (254, 254), (250, 255), (128, 128), (0, 0)):
            self.assertFalse(holds_a_mask(*alpha), alpha)

    def test_a_mask_is_kept(self) -> None:
        for alpha in ((0, 255), (249, 255), (0, 12)):
            self.assertTrue(holds_a_mask(*alpha), alpha)
