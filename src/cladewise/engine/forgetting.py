"""A large batch through an encoder in little memory: in chunks, forgotten and made again."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.utils.checkpoint import checkpoint


def forgetful(encoder: nn.Module, inputs: Tensor, chunk: int) -> Tensor:
    """What the encoder makes of a batch, with nothing in memory but the results and one chunk's intermediates.

    Each chunk runs twice: forward, keeping its results alone, and again when its gradient is known. The loss sees the
    whole batch, as one that compares images must, and the gradient is that of the whole batch. Random numbers are the
    same both times. Normalisation over the batch is over a chunk, the one difference to a batch that runs as a whole;
    its running averages take each chunk once.

    Args:
        encoder: The encoder, in training mode.
        inputs: The batch.
        chunk: Images that run at once, at least 1.

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
    """Running averages of batch normalisation stay as they are."""
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
