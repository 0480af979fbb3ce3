"""The pipeline."""

from . import base, samplers
from .trellis_image_to_3d import TrellisImageTo3DPipeline

__all__ = ["TrellisImageTo3DPipeline", "base", "samplers"]
