"""Gradient caching: a large batch through an encoder in chunks whose activations are recomputed."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.utils.checkpoint import checkpoint


def forgetful(encoder: nn.Module, inputs: Tensor, chunk: int) -> Tensor:
    """Encode a batch while keeping only its results and the activations of one chunk in memory.

    Each chunk runs twice: forward, keeping only its results, and again when its gradient is needed. The loss sees the
    whole batch, which losses that compare images require, and the gradient is that of the whole batch. Both passes use
    the same random numbers. The only difference from running the batch as a whole is that batch normalisation is over
    a chunk; its running averages count each chunk once.

    Args:
        encoder: The encoder, in training mode.
        inputs: The batch.
        chunk: Number of images in a chunk, at least 1.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> forgetful(layer, torch.ones(5, 3), 2).shape
        torch.Size([5, 2])

    References: Gao, Zhang, Han and Callan, Scaling deep contrastive learning batch size under memory limited setup,
        RepL4NLP 2021, arXiv:2101.06983 (gradient caching); Chen et al., Training deep nets with sublinear memory cost,
        arXiv:1604.06174 (the mechanism).
    """

    def first_and_again() -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
        return contextlib.nullcontext(), _averages_at_rest(encoder)

    kept = [checkpoint(encoder, part, use_reentrant=False, context_fn=first_and_again) for part in inputs.split(chunk)]
    return torch.cat(kept)


@contextlib.contextmanager
def _averages_at_rest(encoder: nn.Module) -> Generator[None]:
    """Leave the running averages of batch normalisation unchanged."""
    layers = [part for part in encoder.modules() if isinstance(part, _BatchNorm)]
    held = [dict(part.named_buffers(recurse=False)) for part in layers]
    try:
        for part, averages in zip(layers, held, strict=True):
            for name, tensor in averages.items():
                setattr(part, name, tensor.clone())
        yield
    finally:
        for part, averages in zip(layers, held, strict=True):
            for name, tensor in averages.items():
                setattr(part, name, tensor)
