"""TRELLIS.2's flows of latents with dense tensors, as `latent_flow.py` does it for TRELLIS's.

They are transformers over the occupied places of a grid, without convolutions: each place is a token, whose
queries and keys are turned by where it lies. TRELLIS.2's code makes a new sparse tensor for each small piece
of work, and up to some thousand tokens the GPU waits for the processor most of the time. With dense tensors
there is less to do, and what a step starts on the GPU is recorded at the second step of a job and played
back at the others.

The sums are TRELLIS.2's. The first answer of each flow in a process is compared with that of its code, as
there.

Names: Microsoft's TRELLIS.2, `trellis2/models/structured_latent_flow.py`, `trellis2/modules/sparse/`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from .latent_flow import VARIABLE, LatentFlow, linear

torch: Any = importlib.import_module("torch")
functional: Any = importlib.import_module("torch.nn.functional")

# Tokens up to which the processor is what is waited for (docs/performance.md): only there a recording pays.
RECORDED = 8192


def fits(model: Any) -> bool:
    """Whether it is wanted, and the model has the form that is known here."""
    return (
        os.environ.get(VARIABLE, "on") == "on"
        and getattr(model, "pe_mode", "") == "rope"
        and all(hasattr(model, name) for name in ("input_layer", "out_layer", "t_embedder", "blocks"))
        and all(
            block.self_attn.attn_mode == "full" and hasattr(block.self_attn, "rope") for block in model.blocks
        )
    )


class TokenFlow(LatentFlow):
    """Takes the place of a flow model in the calls of one sampler."""

    # The model computes in bfloat16, whose numbers have three bits less than fp16's.
    rounding = 0.1

    def __init__(
        self, model: Any, attention: Callable[..., Any], recorder: Callable[[Any], Any] | None = None
    ) -> None:
        """`recorder` makes a `Graphs` of what is to be recorded."""
        super().__init__(model, attention)
        self._recorder = recorder
        self.may_record = True
        self._played: Any = None
        self._phases: Any = None

    def forget(self) -> None:
        super().forget()
        if self._played is not None:
            self._played.forget()
            if not self._played.works:
                # Nor would the next job's steps be.
                self._recorder = None
        self._played = self._phases = None

    def _settle(self, x: Any) -> None:
        rope, count = self._model.blocks[0].self_attn.rope, len(x.feats)
        # What turning makes of the number 1 is the turn itself.
        ones = x.feats.new_tensor([1.0, 0.0]).float().repeat(rope.head_dim // 2).expand(count, 1, -1)
        turned = rope(x.replace(ones)).feats
        self._phases = torch.view_as_complex(turned.reshape(count, 1, -1, 2).contiguous())
        self._played = None
        if self._recorder is not None and self.may_record and count <= RECORDED:
            self._played = self._recorder(_Steps(self))

    def _answers(self, feats: Any, t: Any, cond: Any) -> list[Any]:
        if self._played is None:
            return self.answers(feats, t, cond)
        return list(self._played(feats[None], t, cond))

    def answers(self, feats: Any, t: Any, cond: Any) -> list[Any]:
        """Of (N, C), computed."""
        model = self._model
        embedded = model.t_embedder(t)
        if model.share_mod:
            embedded = model.adaLN_modulation(embedded)
        embedded = embedded.type(model.dtype)
        h = linear(model.input_layer, feats).type(model.dtype)[None]
        for block in model.blocks:
            h = self._transformed(block, h, embedded, cond)
        h = h.type(feats.dtype)
        return list(linear(model.out_layer, functional.layer_norm(h, h.shape[-1:])))

    def _modulation(self, block: Any, embedded: Any) -> Any:
        if self._model.share_mod:
            return (block.modulation + embedded).type(embedded.dtype).chunk(6, dim=1)
        return super()._modulation(block, embedded)

    def _turned(self, _layer: Any, q: Any, k: Any) -> tuple[Any, Any]:
        def turn(x: Any) -> Any:
            pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
            return torch.view_as_real(pairs * self._phases).flatten(-2).to(x.dtype)

        return turn(q), turn(k)


class _Steps:
    """As much of a dense flow as a recording asks of one."""

    def __init__(self, flow: TokenFlow) -> None:
        self._flow = flow
        self.t_embedder = flow._model.t_embedder

    def parameters(self) -> Iterator[Any]:
        """The weights, whose places a recording holds."""
        parameters: Iterator[Any] = self._flow._model.parameters()
        return parameters

    def __call__(self, feats: Any, t: Any, cond: Any) -> Any:
        """Of (1, N, C)."""
        return torch.stack(self._flow.answers(feats[0], t, cond))
