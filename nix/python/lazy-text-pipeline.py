

def _pipeline(name):
    """The pipeline class that a `pipeline.json` names."""
    return globals()[name] if name in globals() else __getattr__(name)


def __getattr__(name):
    # Only here: the import brings open3d and transformers along.
    if name == "TrellisTextTo3DPipeline":
        from .trellis_text_to_3d import TrellisTextTo3DPipeline

        return TrellisTextTo3DPipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
