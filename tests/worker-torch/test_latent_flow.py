"""The latent's flow with dense tensors against one in TRELLIS's form that works voxel by voxel."""

from __future__ import annotations

import itertools
import unittest
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from torch import nn
from trellis_worker import latent_flow
from trellis_worker.guidance import OneBatch, remembering
from trellis_worker.latent_flow import LatentFlow, Places, fits

CHANNELS, WIDE, HEADS = 6, 16, 2


class Rows:
    """As much of TRELLIS's sparse tensor as is needed: rows with the sample's number first."""

    def __init__(self, feats: Any, coords: Any) -> None:
        self.feats, self.coords = feats, coords
        self.shape = torch.Size([int(coords[:, 0].max()) + 1, *feats.shape[1:]])

    def replace(self, feats: Any) -> Rows:
        return Rows(feats, self.coords)


class Convolution(nn.Module):
    """Each voxel asks its neighbours; weights as spconv lays them out."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Module()
        self.conv.weight = nn.Parameter(torch.randn(out, 3, 3, 3, channels) / (27 * channels) ** 0.5)
        self.conv.bias = nn.Parameter(torch.randn(out))

    def forward(self, x: Rows) -> Rows:
        places = {tuple(place): index for index, place in enumerate(x.coords.tolist())}
        sums = []
        for sample, *place in x.coords.tolist():
            total = self.conv.bias.clone()
            for step in itertools.product(range(3), repeat=3):
                there = (sample, *(at + k - 1 for at, k in zip(place, step, strict=True)))
                if there in places:
                    total = total + self.conv.weight[(slice(None), *step)] @ x.feats[places[there]]
            sums.append(total)
        return x.replace(torch.stack(sums))


def coarser(x: Rows) -> tuple[Rows, Any]:
    coords = torch.cat([x.coords[:, :1], x.coords[:, 1:] // 2], 1)
    coarse, parent = coords.unique(dim=0, return_inverse=True)
    index = parent[:, None].expand(-1, x.feats.shape[1])
    feats = torch.zeros(len(coarse), x.feats.shape[1]).scatter_reduce(0, index, x.feats, "mean")
    return Rows(feats, coarse), parent


class Residual(nn.Module):
    def __init__(self, channels: int, out: int, downsample: bool = False, upsample: bool = False) -> None:
        super().__init__()
        self.downsample, self.upsample = downsample, upsample
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.norm2 = nn.LayerNorm(out, elementwise_affine=False, eps=1e-6)
        self.conv1, self.conv2 = Convolution(channels, out), Convolution(out, out)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(WIDE, 2 * out))
        self.skip_connection = nn.Linear(channels, out) if channels != out else nn.Identity()

    def forward(self, x: Rows, emb: Any, finer: tuple[Rows, Any]) -> Rows:
        scale, shift = self.emb_layers(emb).chunk(2, dim=1)
        if self.downsample:
            x = coarser(x)[0]
        if self.upsample:
            x = Rows(x.feats[finer[1]], finer[0].coords)
        of = x.coords[:, 0].long()
        h = self.conv1(x.replace(nn.functional.silu(self.norm1(x.feats))))
        h = h.replace(self.norm2(h.feats) * (1 + scale[of]) + shift[of])
        h = self.conv2(h.replace(nn.functional.silu(h.feats)))
        return h.replace(h.feats + self.skip_connection(x.feats))


class HeadNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(HEADS, WIDE // HEADS) + 0.5)

    def forward(self, x: Any) -> Any:
        return nn.functional.normalize(x, dim=-1) * self.gamma


class Attention(nn.Module):
    attn_mode = "full"
    num_heads = HEADS

    def __init__(self, cross: bool, norm: bool) -> None:
        super().__init__()
        self.qk_rms_norm = norm
        if cross:
            self.to_q, self.to_kv = nn.Linear(WIDE, WIDE), nn.Linear(CHANNELS, 2 * WIDE)
        else:
            self.to_qkv = nn.Linear(WIDE, 3 * WIDE)
        self.to_out = nn.Linear(WIDE, WIDE)
        self.q_rms_norm, self.k_rms_norm = HeadNorm(), HeadNorm()

    def forward(self, x: Any, context: Any = None) -> Any:
        """Of one sample: (N, C)."""
        if context is None:
            q, k, v = self.to_qkv(x).view(len(x), 3, HEADS, -1).unbind(1)
        else:
            q = self.to_q(x).view(len(x), HEADS, -1)
            k, v = self.to_kv(context).view(len(context), 2, HEADS, -1).unbind(1)
        if self.qk_rms_norm:
            q, k = self.q_rms_norm(q), self.k_rms_norm(k)
        weight = torch.softmax(torch.einsum("nhc,mhc->hnm", q, k) / q.shape[-1] ** 0.5, -1)
        return self.to_out(torch.einsum("hnm,mhc->nhc", weight, v).flatten(1))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm3 = (nn.LayerNorm(WIDE, elementwise_affine=False, eps=1e-6) for _ in range(2))
        self.norm2 = nn.LayerNorm(WIDE, eps=1e-6)
        self.self_attn, self.cross_attn = Attention(False, True), Attention(True, False)
        self.mlp = nn.Module()
        self.mlp.mlp = nn.Sequential(
            nn.Linear(WIDE, 4 * WIDE), nn.GELU(approximate="tanh"), nn.Linear(4 * WIDE, WIDE)
        )
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(WIDE, 6 * WIDE))

    def forward(self, x: Any, mod: Any, context: Any) -> Any:
        mod = self.adaLN_modulation(mod)
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = mod.chunk(6, dim=1)
        x = x + self.self_attn(self.norm1(x) * (1 + scale) + shift) * gate
        x = x + self.cross_attn(self.norm2(x), context)
        return x + self.mlp.mlp(self.norm3(x) * (1 + scale_mlp) + shift_mlp) * gate_mlp


class Embedder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Linear(1, WIDE)

    def forward(self, t: Any) -> Any:
        return self.mlp(torch.sin(t[:, None] / 300))


class Flow(nn.Module):
    """In TRELLIS's form, for any number of samples in one sparse tensor."""

    dtype, pe_mode, use_skip_connection, io_block_channels = torch.float32, "ape", True, (8,)
    share_mod = False

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.t_embedder = Embedder()
        self.pos_embedder = lambda places: torch.sin(
            places.float().sum(1, keepdim=True) * torch.arange(WIDE) * 0.1
        )
        self.input_layer, self.out_layer = nn.Linear(4, 8), nn.Linear(8, 4)
        self.input_blocks = nn.ModuleList([Residual(8, 8), Residual(8, WIDE, downsample=True)])
        self.blocks = nn.ModuleList([Transformer() for _ in range(2)])
        self.out_blocks = nn.ModuleList([Residual(2 * WIDE, 8, upsample=True), Residual(16, 8)])

    def forward(self, x: Rows, t: Any, cond: Any) -> Rows:
        self.calls += 1
        h = x.replace(self.input_layer(x.feats))
        emb = self.t_embedder(t)
        finer = (x, coarser(x)[1])
        skips = []
        for block in self.input_blocks:
            h = block(h, emb, finer)
            skips.append(h.feats)
        h = h.replace(h.feats + self.pos_embedder(h.coords[:, 1:]))
        for block in self.blocks:
            parts = [block(h.feats[h.coords[:, 0] == k], emb[k : k + 1], cond[k]) for k in range(len(cond))]
            h = h.replace(torch.cat(parts))
        for block, skip in zip(self.out_blocks, reversed(skips), strict=True):
            h = block(h.replace(torch.cat([h.feats, skip], 1)), emb, finer)
        h = h.replace(nn.functional.layer_norm(h.feats, h.feats.shape[-1:]))
        return h.replace(self.out_layer(h.feats))


def dense(q: Any, k: Any, v: Any) -> Any:
    attend = nn.functional.scaled_dot_product_attention
    return attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


def joined(parts: list[Rows]) -> Rows:
    coords = [part.coords.clone() for part in parts]
    for sample, own in enumerate(coords):
        own[:, 0] = sample
    return Rows(torch.cat([part.feats for part in parts]), torch.cat(coords))


class Latent(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(1)
        self.model = Flow()
        self.flow = LatentFlow(self.model, dense)

    def sample(self, count: int = 60, side: int = 7) -> Rows:
        places = torch.stack(torch.meshgrid(*[torch.arange(side)] * 3, indexing="ij"), -1).view(-1, 3)
        places = places[torch.randperm(len(places))[:count]]
        return Rows(torch.randn(count, 4), torch.cat([torch.zeros(count, 1), places], 1).int())

    def asked(self, instead: Any, x: Rows, cond: Any, t: float) -> Any:
        once = OneBatch(lambda *_args, **_options: None, joined, instead)
        options = {"neg_cond": torch.zeros_like(cond[:1]), "cfg_strength": 3.0, "cfg_interval": (0.5, 1)}
        with torch.no_grad(), remembering(self.model):
            return once(self.model, x, t, cond=cond, **options).feats

    def test_the_answers_are_the_models(self) -> None:
        for pictures, t in ((1, 0.9), (1, 0.2), (3, 0.8), (5, 0.6)):
            x, cond = self.sample(), torch.randn(pictures, 5, CHANNELS)
            theirs = self.asked(None, Sum(x), cond, t)
            mine = self.asked(self.flow, Sum(x), cond, t)
            self.assertGreater(float(theirs.abs().max()), 0.1)
            self.assertLess(float((mine - theirs).abs().max()), 1e-4)
        self.assertTrue(self.flow.works)

    def test_it_asks_the_model_itself_once(self) -> None:
        for _ in range(4):
            self.asked(self.flow, Sum(self.sample()), torch.randn(1, 5, CHANNELS), 0.9)
            self.flow.forget()
        self.assertEqual(self.model.calls, 1)

    def test_one_voxel_and_a_full_block(self) -> None:
        for count, side in ((1, 9), (64, 4)):
            x, cond = self.sample(count, side), torch.randn(1, 5, CHANNELS)
            apart = self.asked(self.flow, Sum(x), cond, 0.9) - self.asked(None, Sum(x), cond, 0.9)
            self.assertLess(float(apart.abs().max()), 1e-4)

    def test_another_layout_of_weights_is_noticed(self) -> None:
        for block in self.model.out_blocks:
            block.conv1.forward = lambda x, inner=block.conv1: Convolution.forward(turned(inner), x)
        x, cond = self.sample(), torch.randn(1, 5, CHANNELS)
        theirs = self.asked(None, Sum(x), cond, 0.9)
        with self.assertLogs("trellis_worker.latent_flow", "WARNING"):
            mine = self.asked(self.flow, Sum(x), cond, 0.9)
        self.assertTrue(torch.equal(mine, theirs))
        self.assertFalse(self.flow.works)
        self.assertTrue(torch.equal(self.asked(self.flow, Sum(x), cond, 0.9), theirs))

    def test_only_the_form_that_is_known(self) -> None:
        self.assertTrue(fits(self.model))
        with mock.patch.dict("os.environ", {latent_flow.VARIABLE: "off"}):
            self.assertFalse(fits(self.model))
        for name, other in (("pe_mode", "rope"), ("share_mod", True), ("io_block_channels", [8, 8])):
            with mock.patch.object(self.model, name, other):
                self.assertFalse(fits(self.model), name)
        self.assertFalse(fits(SimpleNamespace()))

    def test_places_keep_trellis_order(self) -> None:
        voxels = self.sample().coords[:, 1:].long()
        places = Places.of(voxels)
        code = (voxels // 2) @ torch.tensor([100, 10, 1])
        self.assertTrue(torch.equal(places.coarse @ torch.tensor([100, 10, 1]), code.unique()))
        self.assertTrue(torch.equal(places.around[:, 13], torch.arange(len(voxels))))


class Sum(Rows):
    """One that guidance adds up."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows.feats, rows.coords)

    def replace(self, feats: Any) -> Any:
        return Sum(Rows(feats, self.coords))

    def __add__(self, other: Any) -> Any:
        return self.replace(self.feats + other.feats)

    def __sub__(self, other: Any) -> Any:
        return self.replace(self.feats - other.feats)

    def __rmul__(self, factor: float) -> Any:
        return self.replace(self.feats * factor)

    def __truediv__(self, factor: float) -> Any:
        return self.replace(self.feats / factor)


def turned(layer: Any) -> Any:
    """The same weights along other axes."""
    conv = SimpleNamespace(weight=layer.conv.weight.transpose(1, 3), bias=layer.conv.bias)
    return SimpleNamespace(conv=conv)


if __name__ == "__main__":
    unittest.main()
