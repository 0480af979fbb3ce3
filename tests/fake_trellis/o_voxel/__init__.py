"""A stand-in for the package that comes with TRELLIS.2."""
