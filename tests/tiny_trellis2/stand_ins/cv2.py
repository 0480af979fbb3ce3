"""Stands in for OpenCV, which TRELLIS.2 imports for what only its own code draws."""
