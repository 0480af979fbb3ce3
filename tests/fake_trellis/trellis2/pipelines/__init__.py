"""The pipelines."""

from . import base, rembg
from .trellis2_image_to_3d import Trellis2ImageTo3DPipeline
from .trellis2_texturing import Trellis2TexturingPipeline

__all__ = ["Trellis2ImageTo3DPipeline", "Trellis2TexturingPipeline", "base", "rembg"]
