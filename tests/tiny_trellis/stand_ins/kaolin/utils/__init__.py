"""Stands in for kaolin, of which FlexiCubes uses one function."""
