"""The structured latent's flow for voxels that stay where they are, with dense tensors.

TRELLIS's code makes a new sparse tensor for each small piece of work, and finds the same neighbours and
coarse voxels at each step: the GPU waits for the processor most of the time. Here both are found once for a
job, and samples that differ only in their condition are rows of one tensor. Before they meet it they are the
same, so that far one row does for all. A convolution makes of each voxel what it gives to its 27 neighbours
by one matrix product, and then adds up what each is given; where voxels were only copied from coarser ones,
it begins with those.

The sums are TRELLIS's in another order. The first answer of a process is compared with that of TRELLIS's
code; where they are further apart than rounding explains, TRELLIS's code answers from then on.

Names: Microsoft's TRELLIS, `trellis/models/structured_latent_flow.py`, `trellis/modules/sparse/`; spconv's
layout of weights.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

torch: Any = importlib.import_module("torch")
functional: Any = importlib.import_module("torch.nn.functional")
log = logging.getLogger(__name__)

# `on` or `off`.
VARIABLE = "TRELLIS_WORKER_LATENT_FLOW"
# Neighbours of a voxel, itself among them, along an axis and in all.
SIDE, AROUND = 3, 27
# Of fp16, as it is meant below.
ROUNDING = 0.02


def fits(model: Any) -> bool:
    """Whether it is wanted, and the model has the form that is known here."""
    return (
        os.environ.get(VARIABLE, "on") == "on"
        and getattr(model, "pe_mode", "") == "ape"
        and bool(getattr(model, "use_skip_connection", False))
        and not getattr(model, "share_mod", False)
        and len(getattr(model, "io_block_channels", None) or ()) == 1
        and all(block.self_attn.attn_mode == "full" for block in model.blocks)
        and all(tuple(conv.weight.shape[1:4]) == (SIDE,) * 3 for conv in _convolutions(model))
    )


def _convolutions(model: Any) -> list[Any]:
    blocks = [*model.input_blocks, *model.out_blocks]
    return [layer.conv for block in blocks for layer in (block.conv1, block.conv2)]


class LatentFlow:
    """Takes the place of a flow model in the calls of one sampler."""

    # How far the answer may be from TRELLIS's, in parts of its largest number.
    rounding = ROUNDING

    def __init__(self, model: Any, attention: Callable[..., Any]) -> None:
        """`attention(q, k, v)` of (B, N, H, C) each."""
        self._model = model
        self._attention = attention
        self._coords: Any = None
        self._places: Places | None = None
        self._weights: dict[Any, Any] = {}
        self._compared = False
        self.works = True

    def forget(self) -> None:
        """Gives back what was made for a job."""
        self._coords = self._places = None
        self._weights.clear()

    def __call__(
        self, x: Any, t: Any, cond: Any, own: Callable[[], list[Any]], concat_cond: Any = None
    ) -> list[Any]:
        """The answers (N, C) for the sparse tensor `x` and each row of `cond` at the time `t` (1). `own`
        gives those of TRELLIS's code. `concat_cond` has more numbers of the same places."""
        if not self.works:
            return own()
        if x.coords is not self._coords:
            self._settle(x)
            self._coords = x.coords
        feats = x.feats if concat_cond is None else torch.cat([x.feats, concat_cond.feats], -1)
        answers = self._answers(feats, t, cond.to(self._model.dtype))
        if not self._compared:
            theirs = own()
            self._compared, self.works = True, _alike(answers, theirs, self.rounding)
            return answers if self.works else theirs
        return answers

    def _settle(self, x: Any) -> None:
        """Finds out once a job what is near what."""
        self._places = Places.of(x.coords[:, 1:].long())

    def _answers(self, feats: Any, t: Any, cond: Any) -> list[Any]:
        model, places = self._model, self._places
        assert places is not None
        embedded = model.t_embedder(t).type(model.dtype)
        h = linear(model.input_layer, feats).type(model.dtype)[None]
        skips = []
        for block in model.input_blocks:
            h = self._residual(block, h, embedded, None)
            skips.append(h)
        h = h + model.pos_embedder(places.coarse).type(model.dtype)
        for block in model.blocks:
            h = self._transformed(block, h, embedded, cond)
        for block, skip in zip(model.out_blocks, reversed(skips), strict=True):
            h = self._residual(block, h, embedded, skip)
        h = functional.layer_norm(h, h.shape[-1:])
        return list(linear(model.out_layer, h.type(feats.dtype)))

    def _residual(self, block: Any, h: Any, embedded: Any, skip: Any) -> Any:
        """A `SparseResBlock3d`, of which `skip` is a part of the input."""
        places = self._places
        assert places is not None
        if skip is not None:
            h = torch.cat([h, skip.expand(len(h), -1, -1)], -1)
        scale, shift = block.emb_layers(embedded).type(h.dtype).chunk(2, dim=1)
        if block.downsample:
            h = places.averaged(h)
        around = places.coarse_around if block.downsample else places.around
        into = places.parent_around if block.upsample else around
        inner = self._convolved(block.conv1.conv, functional.silu(block.norm1(h)), into)
        inner = block.norm2(inner) * (1 + scale) + shift
        inner = self._convolved(block.conv2.conv, functional.silu(inner), around)
        beside = block.skip_connection
        beside = linear(beside, h) if hasattr(beside, "weight") else h
        return inner + (beside[:, places.parent] if block.upsample else beside)

    def _convolved(self, conv: Any, h: Any, around: Any) -> Any:
        """Of (B, M, C) what the voxels get from those `around` them (N, 27); `M` stands for a missing one."""
        if conv not in self._weights:
            out, channels = conv.weight.shape[0], conv.weight.shape[-1]
            weight = conv.weight.reshape(out, AROUND, channels)
            self._weights[conv] = weight.transpose(0, 1).reshape(AROUND * out, channels).T
        weight = self._weights[conv]
        out, count = weight.shape[1] // AROUND, h.shape[1]
        index = around * AROUND + torch.arange(AROUND, device=around.device)
        # Beyond the last voxel stands what no voxel gives.
        given = h.new_zeros((count + 1) * AROUND, out)
        sums = []
        for row in h:
            torch.mm(row, weight, out=given[: count * AROUND].view(count, -1))
            sums.append(given[index].sum(1))
        result = torch.stack(sums)
        return result if conv.bias is None else result + conv.bias

    def _transformed(self, block: Any, h: Any, embedded: Any, cond: Any) -> Any:
        """A `ModulatedSparseTransformerCrossBlock`."""
        shift, scale, gate, shift_after, scale_after, gate_after = self._modulation(block, embedded)
        part = block.norm1(h) * (1 + scale) + shift
        h = h + self._to_itself(block.self_attn, part) * gate
        h = h + self._to_condition(block.cross_attn, block.norm2(h), cond)
        part = block.norm3(h) * (1 + scale_after) + shift_after
        wide, bend, narrow = block.mlp.mlp
        part = functional.gelu(linear(wide, part), approximate=bend.approximate)
        return h + linear(narrow, part) * gate_after

    def _modulation(self, block: Any, embedded: Any) -> Any:
        return block.adaLN_modulation(embedded).chunk(6, dim=1)

    def _turned(self, _layer: Any, q: Any, k: Any) -> tuple[Any, Any]:
        """Queries and keys by their places, where a flow knows those by turning them."""
        return q, k

    def _to_itself(self, layer: Any, h: Any) -> Any:
        qkv = layer.to_qkv(h).view(*h.shape[:2], SIDE, layer.num_heads, -1)
        q, k, v = qkv.unbind(2)
        if layer.qk_rms_norm:
            q, k = layer.q_rms_norm(q), layer.k_rms_norm(k)
        q, k = self._turned(layer, q, k)
        return layer.to_out(self._attention(q, k, v).flatten(2))

    def _to_condition(self, layer: Any, h: Any, cond: Any) -> Any:
        q = layer.to_q(h).view(*h.shape[:2], layer.num_heads, -1)
        k, v = layer.to_kv(cond).view(*cond.shape[:2], 2, layer.num_heads, -1).unbind(2)
        if layer.qk_rms_norm:
            q, k = layer.q_rms_norm(q), layer.k_rms_norm(k)
        q = q.expand(len(k), -1, -1, -1).contiguous()
        return layer.to_out(self._attention(q, k, v).flatten(2))


@dataclass(frozen=True)
class Places:
    """Voxels, and the coarse ones of eight each that lie in the same order as TRELLIS's."""

    coarse: Any  # (M, 3) int64
    parent: Any  # (N) which coarse voxel each is in
    children: Any  # (M, 8), `N` where there is none
    around: Any  # (N, 27) which voxels are around each, `N` where there is none
    coarse_around: Any  # (M, 27), `M` where there is none
    parent_around: Any  # (N, 27) which coarse voxels those around each are in, `M` where there is none

    @staticmethod
    def of(voxels: Any) -> Places:
        """Of places (N, 3) int64, none twice."""
        coarse, parent = torch.div(voxels, 2, rounding_mode="floor").unique(dim=0, return_inverse=True)
        count, coarse_count = len(voxels), len(coarse)
        within = (voxels % 2 * torch.tensor([4, 2, 1], device=voxels.device)).sum(1)
        children = torch.full((coarse_count, 8), count, device=voxels.device)
        children[parent, within] = torch.arange(count, device=voxels.device)
        around = _around(voxels)
        parents = torch.cat([parent, parent.new_tensor([coarse_count])])
        return Places(coarse, parent, children, around, _around(coarse), parents[around])

    def averaged(self, h: Any) -> Any:
        """(B, M, C): the sums over children (B, N, C), by one more than there are, as TRELLIS takes them."""
        padded = functional.pad(h, (0, 0, 0, 1))
        there = (self.children < h.shape[1]).sum(1, keepdim=True) + 1
        return (padded[:, self.children].float().sum(2) / there).to(h.dtype)


def _around(voxels: Any) -> Any:
    """(N, 27): in the order of the weights, the voxel at each step from -1 to 1 along each axis."""
    count = len(voxels)
    side = int(voxels.max()) + SIDE
    keys = _key(voxels + 1, side)
    ordered, order = keys.sort()
    steps = torch.arange(-1, 2, device=voxels.device)
    steps = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).view(AROUND, SIDE)
    wanted = keys[:, None] + _key(steps, side)
    at = torch.searchsorted(ordered, wanted).clamp(max=count - 1)
    return torch.where(ordered[at] == wanted, order[at], count)


def _key(places: Any, side: int) -> Any:
    return (places[..., 0] * side + places[..., 1]) * side + places[..., 2]


def linear(layer: Any, x: Any) -> Any:
    """TRELLIS's linear layers for sparse tensors, on dense ones."""
    return functional.linear(x, layer.weight, layer.bias)


def _alike(ours: list[Any], theirs: list[Any], rounding: float) -> bool:
    apart = max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))
    largest = max(float(b.abs().max()) for b in theirs)
    # What is not a number is not alike.
    if apart <= rounding * largest:
        return True
    log.warning(
        "the latent's flow is TRELLIS's own: ours is %.1e away from values up to %.1e", apart, largest
    )
    return False
