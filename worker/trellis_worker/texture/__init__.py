"""A GLB's texture from rendered views of its splats.

`raster.py` says which triangle a pixel shows, `observations.py` which texels it sees, `bake.py` solves for
the texels, `glb.py` makes the whole file. All is torch: it runs on any GPU and, in tests, on the processor.
"""
