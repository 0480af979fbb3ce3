"""The libraries that can attend here, at the shapes of both models' flows; for bench_trellis.py."""

from __future__ import annotations

import torch
from trellis_worker import attention

# Two samples each, of the sparse structure and of the latents of larger objects.
TOKENS = (4096, 16_384)
DEVICE = torch.device("cuda")


def measure() -> None:
    """Prints the milliseconds of each, and how far it is from torch's own in float32."""
    for model, shape in attention.SHAPES.items():
        for tokens in TOKENS:
            lengths = (tokens, tokens)
            asked = attention._asked(torch, DEVICE, shape, lengths)
            answers = attention._answers(torch, None, asked, lengths, True)
            said = [f"{name} {it.ms:.3f} ms, off by {it.off:.1e}" for name, it in answers.items()]
            print(f"| attention, {model}, 2 x {tokens} tokens | {' | '.join(said) or 'none'} |", flush=True)
