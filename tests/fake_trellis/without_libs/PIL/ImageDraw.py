"""Nothing is drawn."""

from typing import Any


class Draw:
    def __init__(self, image: Any) -> None:
        self.image = image

    def ellipse(self, box: Any, fill: Any) -> None:
        """Nothing to do."""
