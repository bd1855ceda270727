"""Gradient caching: a large batch through an encoder in chunks whose activations are recomputed."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from torch import Tensor, nn
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

    kept = [
        checkpoint(encoder, part, use_reentrant=False, context_fn=_Twice(encoder).contexts)
        for part in inputs.split(chunk)
    ]
    return torch.cat(kept)


class _Twice:
    """Contexts of the two passes of a chunk: the second begins with the running averages and counts of the first.

    What it does to them is discarded, so that each chunk is counted once.
    """

    def __init__(self, encoder: nn.Module) -> None:
        own = [(part, dict(part.named_buffers(recurse=False))) for part in encoder.modules()]
        self._tracked = [(part, buffers) for part, buffers in own if "num_batches_tracked" in buffers]
        self._first: list[dict[str, Tensor]] = []

    def contexts(
        self,
    ) -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
        return self._noted(), self._again()

    @contextlib.contextmanager
    def _noted(self) -> Generator[None]:
        self._first = [{name: tensor.clone() for name, tensor in buffers.items()} for _, buffers in self._tracked]
        yield

    @contextlib.contextmanager
    def _again(self) -> Generator[None]:
        held = [dict(part.named_buffers(recurse=False)) for part, _ in self._tracked]
        try:
            self._set([{name: tensor.clone() for name, tensor in first.items()} for first in self._first])
            yield
        finally:
            self._set(held)

    def _set(self, values: list[dict[str, Tensor]]) -> None:
        for (part, _), buffers in zip(self._tracked, values, strict=True):
            for name, tensor in buffers.items():
                setattr(part, name, tensor)
