"""A stand-in for Pillow."""


class UnidentifiedImageError(OSError):
    """As Pillow raises it."""
