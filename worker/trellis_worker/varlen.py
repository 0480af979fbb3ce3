"""torch's own attention for sequences of several lengths, under the names by which TRELLIS calls flash-attn.

TRELLIS attends in sparse tensors by xformers or flash-attn, and knows no third. torch has such kernels too,
from 2.10 on as `torch.nn.attention.varlen`, before that behind nested tensors. Where no library is installed
that works on this GPU, or torch is to attend because it is faster, it answers for flash-attn.

Names: flash-attn's `flash_attn/flash_attn_interface.py`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NAME = "flash_attn"
# What flash-attn's functions are given behind the tensors, in this order or by these names.
LENGTHS = ("cu_seqlens_q", "cu_seqlens_k", "max_seqlen_q", "max_seqlen_k")


def attend(q: Any, k: Any, v: Any, *lengths: Any, **named: Any) -> Any:
    """Of sequences end to end, (T, H, C). `lengths`: where those of queries and of keys begin, (N + 1) int32,
    the last being T, and how long the longest of each is."""
    starts_q, starts_k, most_q, most_k = (*lengths, *(named[name] for name in LENGTHS[len(lengths) :]))
    try:
        varlen = importlib.import_module("torch.nn.attention.varlen").varlen_attn
    except ImportError:
        return _nested((q, starts_q, most_q), (k, starts_k, most_k), (v, starts_k, most_k))
    return varlen(q, k, v, starts_q, starts_k, most_q, most_k)


def _nested(*parts: tuple[Any, Any, int]) -> Any:
    """By nested tensors."""
    torch = importlib.import_module("torch")
    # The lengths, said here, are not asked of the GPU; a sequence of none is not asked for.
    nested = [
        torch.nested.nested_tensor_from_jagged(
            values.contiguous(), offsets=starts.long(), min_seqlen=1, max_seqlen=most
        ).transpose(1, 2)
        for values, starts, most in parts
    ]
    return torch.nn.functional.scaled_dot_product_attention(*nested).transpose(1, 2).values()


def module() -> ModuleType:
    """As much of flash-attn as TRELLIS and TRELLIS.2 call."""
    made = ModuleType(NAME, __doc__)
    # Others look whether it is installed, and find no distribution of that name.
    made.__spec__ = ModuleSpec(NAME, None)

    def of_threes(qkv: Any, cu_seqlens: Any, max_seqlen: int) -> Any:
        """Queries, keys and values in one, (T, 3, H, C)."""
        return attend(*qkv.unbind(1), cu_seqlens, cu_seqlens, max_seqlen, max_seqlen)

    def of_pairs(q: Any, kv: Any, *lengths: Any, **named: Any) -> Any:
        """Keys and values in one, (T, 2, H, C)."""
        return attend(q, *kv.unbind(1), *lengths, **named)

    def of_equals(qkv: Any) -> Any:
        """Sequences of one length, (B, N, 3, H, C)."""
        torch = importlib.import_module("torch")
        parts = [part.transpose(1, 2) for part in qkv.unbind(2)]
        return torch.nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2)

    names = {
        "flash_attn_varlen_func": attend,
        "flash_attn_varlen_kvpacked_func": of_pairs,
        "flash_attn_varlen_qkvpacked_func": of_threes,
        "flash_attn_qkvpacked_func": of_equals,
    }
    vars(made).update(names)
    return made


def install() -> None:
    """Has `import flash_attn` give `module()` from here on."""
    sys.modules[NAME] = module()
