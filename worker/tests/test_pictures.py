"""Which pictures count as already cut out."""

from __future__ import annotations

import unittest
from typing import Any

from trellis_worker.pictures import _eight_bits


class Image:
    """As much of a PIL image as `_eight_bits` asks for."""

    def __init__(self, mode: str, alpha: tuple[int, int]) -> None:
        self.mode = mode
        self.alpha = alpha
        self.info: dict[str, Any] = {}

    def convert(self, mode: str) -> Image:
        return Image(mode, self.alpha)

    def getextrema(self) -> tuple[tuple[int, int], ...]:
        return ((0, 255), (0, 255), (0, 255), self.alpha)


class Alpha(unittest.TestCase):
    def test_an_alpha_channel_that_tells_nothing_counts_as_none(self) -> None:
        for alpha in ((255, 255), (254, 254), (250, 255), (128, 128), (0, 0)):
            for mode in ("RGBA", "LA"):
                self.assertEqual(_eight_bits(Image(mode, alpha)).mode, "RGB", alpha)

    def test_a_mask_is_kept(self) -> None:
        for alpha in ((0, 255), (249, 255), (0, 12)):
            self.assertEqual(_eight_bits(Image("RGBA", alpha)).mode, "RGBA", alpha)


if __name__ == "__main__":
    unittest.main()
