"""A stand-in for TRELLIS; see the README beside it."""

from . import models, pipelines, script

script.act("import")

__all__ = ["models", "pipelines"]
