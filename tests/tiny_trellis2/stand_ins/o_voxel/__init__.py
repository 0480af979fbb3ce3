"""Stands in for o-voxel, of which TRELLIS.2's decoder takes one function, and the worker what writes voxel files."""
