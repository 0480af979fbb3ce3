"""Our ways of asking TRELLIS.2's flows: guidance in one batch, dense tensors, recorded steps."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import Any


def with_our_ways(pipeline: Any) -> None:
    """What stays from job to job, made once."""
    if hasattr(pipeline, "recorded_flow"):
        return
    # Only here, for they import torch.
    graphs = importlib.import_module("trellis_worker.graphs")
    token_flow = importlib.import_module("trellis_worker.token_flow")
    recorder = graphs.Graphs if graphs.wanted() else None
    pipeline.recorded_flow = recorder and recorder(pipeline.models["sparse_structure_flow_model"])
    flows = [model for name, model in pipeline.models.items() if "slat_flow_model" in name]
    pipeline.token_flows = {
        model: token_flow.TokenFlow(model, attention, recorder) for model in flows if token_flow.fits(model)
    }


def forget(pipeline: Any) -> None:
    """Gives back the memory of what is recorded, if anything is."""
    flows = [getattr(pipeline, "recorded_flow", None), *getattr(pipeline, "token_flows", {}).values()]
    for flow in flows:
        if flow is not None:
            flow.forget()


def attention(*args: Any) -> Any:
    """TRELLIS.2's, of dense tensors, by the library that the environment names."""
    return importlib.import_module("trellis2.modules.attention").scaled_dot_product_attention(*args)


def guide_in_pairs(pipeline: Any, name: str, low_vram: bool) -> None:
    """Has a sampler ask its flow once a step, for one job; the caller puts back what the sampler held."""
    # Only here, for it imports torch.
    guidance = importlib.import_module("trellis_worker.guidance")
    sampler = getattr(pipeline, name)
    sample = sampler.sample

    def joined(samples: list[Any]) -> Any:
        return importlib.import_module("trellis2.modules.sparse").sparse_cat(samples)

    pairs = sampler._inference_model = guidance.Pairs(sampler._inference_model, joined)
    # In low-VRAM mode the weights move, and memory is short.
    if name == "sparse_structure_sampler" and not low_vram:
        pairs.instead = pipeline.recorded_flow

    def in_our_way(model: Any, *args: Any, **options: Any) -> Any:
        flow = pipeline.token_flows.get(model)
        with ExitStack() as undo:
            if flow is not None:
                flow.may_record = not low_vram
                # The next flow of this sampler, in a cascade, may be none of ours.
                undo.callback(setattr, pairs, "instead", pairs.instead)
                pairs.instead = flow
                undo.callback(flow.forget)
            if not low_vram:
                undo.enter_context(guidance.remembering(model))
            return sample(model, *args, **options)

    sampler.sample = in_our_way
