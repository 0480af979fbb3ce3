"""A stand-in for the package that comes with TRELLIS.2, whose decoder imports all of it."""

from . import convert, io, postprocess  # noqa: F401 as the real one does
