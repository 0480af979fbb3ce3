"""NVIDIA's rasteriser, in name."""
