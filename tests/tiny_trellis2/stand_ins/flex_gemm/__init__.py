"""Stands in for FlexGEMM on a processor, as far as TRELLIS.2's decoders and meshes need it."""

from . import ops  # noqa: F401 as the real one imports it
