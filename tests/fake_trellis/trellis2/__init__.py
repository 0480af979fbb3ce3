"""A stand-in for TRELLIS.2, with the rules of that for TRELLIS; see the README beside it."""

from trellis import script

from . import models, pipelines, representations

script.act("import")

__all__ = ["models", "pipelines", "representations"]
