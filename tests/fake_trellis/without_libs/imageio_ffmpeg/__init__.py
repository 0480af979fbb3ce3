"""A stand-in for what imageio writes videos with."""
