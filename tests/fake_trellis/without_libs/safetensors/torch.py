"""Tensors by their sizes."""

from trellis.models import load_file

__all__ = ["load_file"]
