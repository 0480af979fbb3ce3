"""Nothing is turned."""

from .Image import Image


def exif_transpose(image: Image) -> Image:
    return image
