"""A GLB's texture from rendered views of its splats, without code that is for research only.

`raster.py` says which triangle a pixel shows, `observations.py` which texels it sees, `bake.py` solves for the
texels, `glb.py` makes the whole file. All is torch: it runs on any GPU and, for tests, on the processor.
"""
