"""Stands in for flash-attn by torch's own attention: on a GPU the kernel of that name, else in turns."""

from __future__ import annotations

import torch


def flash_attn_varlen_func(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    starts_q: torch.Tensor,
    starts_k: torch.Tensor,
    *most: int,
) -> torch.Tensor:
    """Sequences end to end, (T, H, C), that begin at `starts`."""
    if q.is_cuda:
        ends = starts_q, starts_k, *most
        flash = torch.ops.aten._flash_attention_forward
        return flash(q.contiguous(), k.contiguous(), v.contiguous(), *ends, 0.0, False, False)[0]
    attend = torch.nn.functional.scaled_dot_product_attention
    cut = zip(
        *(
            part.tensor_split(starts[1:-1].cpu().long())
            for part, starts in ((q, starts_q), (k, starts_k), (v, starts_k))
        ),
        strict=True,
    )
    return torch.cat([attend(*(one.transpose(0, 1) for one in three)).transpose(0, 1) for three in cut])


def flash_attn_varlen_kvpacked_func(
    q: torch.Tensor, kv: torch.Tensor, starts_q: torch.Tensor, starts_k: torch.Tensor, *most: int
) -> torch.Tensor:
    """Keys and values in one, (T, 2, H, C)."""
    return flash_attn_varlen_func(q, *kv.unbind(1), starts_q, starts_k, *most)


def flash_attn_varlen_qkvpacked_func(qkv: torch.Tensor, starts: torch.Tensor, most: int) -> torch.Tensor:
    """All three in one, (T, 3, H, C)."""
    return flash_attn_varlen_func(*qkv.unbind(1), starts, starts, most, most)


def flash_attn_qkvpacked_func(qkv: torch.Tensor) -> torch.Tensor:
    """All three in one, of sequences of one length, (N, L, 3, H, C)."""
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(*(part.transpose(1, 2) for part in qkv.unbind(2))).transpose(1, 2)
