"""The base class of text encoders, and tokenised texts."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True, eq=False)
class Tokens:
    """Tokenised texts, padded to the longest."""

    ids: Int[Tensor, "text position"]
    """Token ids; arbitrary at padded positions."""
    present: Bool[Tensor, "text position"]
    """True at tokens, False at padding."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, texts: slice | Tensor) -> Tokens:
        """A selection of the texts, trimmed to the longest of them."""
        ids, present = self.ids[texts], self.present[texts]
        width = int(present.any(0).sum())  # tokens come before padding
        return Tokens(ids[:, :width], present[:, :width])

    def to(self, device: torch.device) -> Tokens:
        """The same tokens on another device."""
        return Tokens(self.ids.to(device), self.present.to(device))


class TextEncoder(nn.Module, ABC):
    """A module from texts to features, which can be trained or frozen.

    Args:
        name: Name for :func:`cladewise.backbones.text.load`.
        num_features: Width of the features.

    Example:
        >>> from cladewise.backbones import text
        >>> encoder = text.load("characters")
        >>> encoder(encoder.tokens(["wren", "wood warbler"])).shape
        torch.Size([2, 128])
    """

    def __init__(self, name: str, num_features: int) -> None:
        super().__init__()
        self.name, self.num_features = name, num_features

    @property
    def scale(self) -> float | None:
        """The scale of cosines with images learnt in pretraining; ``None`` for an encoder trained without images."""
        return None

    @property
    def bias(self) -> float:
        """The number added to scaled cosines in pretraining, for a sigmoid; 0 for an encoder trained by a softmax."""
        return 0.0

    def fills_context(self, tokens: Tokens) -> Bool[Tensor, " text"]:
        """Whether each text takes all the positions that the encoder has, so that its end may have been cut off."""
        return torch.zeros(len(tokens), dtype=torch.bool, device=tokens.ids.device)

    @abstractmethod
    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Tokenise texts."""

    @abstractmethod
    def forward(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        """Features of tokenised texts."""

    def __call__(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        return super().__call__(tokens)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """Hash of the architecture and of every weight, recomputed on each access."""
        digest = hashlib.sha256(f"{self.name}\n{self!r}".encode())
        for key, value in self.state_dict().items():
            digest.update(f"\n{key} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def padded(rows: Sequence[Sequence[int]]) -> Tokens:
    """Token ids of each text, padded to the longest.

    Example:
        >>> padded([[5, 6], [7]]).ids.tolist()
        [[5, 6], [7, 0]]
    """
    width = max((len(row) for row in rows), default=0)
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    present = torch.arange(width) < lengths[:, None]
    ids[present] = torch.tensor([number for row in rows for number in row], dtype=torch.int64)
    return Tokens(ids, present)


def in_chunks(encoder: TextEncoder, tokens: Tokens, size: int) -> Float[Tensor, "text feature"]:
    """Features of many texts, computed in chunks.

    Example:
        >>> from cladewise.backbones import text
        >>> encoder = text.load("characters")
        >>> tokens = encoder.tokens(["a", "bcd", "e"])
        >>> in_chunks(encoder, tokens, 2).allclose(encoder(tokens))
        True
    """
    parts = [encoder(tokens[start : start + size]) for start in range(0, len(tokens), size)]
    return torch.cat(parts) if parts else torch.zeros(0, encoder.num_features, device=encoder.device)
