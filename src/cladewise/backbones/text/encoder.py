"""What a text encoder is."""

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
    """Texts as an encoder reads them, padded to the longest."""

    ids: Int[Tensor, "text position"]
    """What stands at each position; anything where there is nothing."""
    present: Bool[Tensor, "text position"]
    """Where there is something."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, texts: slice | Tensor) -> Tokens:
        """Some of the texts, no longer than the longest of them."""
        ids, present = self.ids[texts], self.present[texts]
        width = int(present.any(0).sum())  # what is present comes first
        return Tokens(ids[:, :width], present[:, :width])

    def to(self, device: torch.device) -> Tokens:
        """On another device."""
        return Tokens(self.ids.to(device), self.present.to(device))


class TextEncoder(nn.Module, ABC):
    """Texts to features: an ordinary module, to be trained or to be frozen.

    Args:
        name: Name that :func:`cladewise.backbones.text.load` takes.
        num_features: Length of the feature vectors.

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
        """What cosines with the images of the same model were trained to be multiplied by, if there are such images."""
        return None

    @abstractmethod
    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Read some texts."""

    @abstractmethod
    def forward(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        """Features of texts that were read."""

    def __call__(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        return super().__call__(tokens)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """Hash of the architecture and of every weight, computed anew each time."""
        digest = hashlib.sha256(f"{self.name}\n{self!r}".encode())
        for key, value in self.state_dict().items():
            digest.update(f"\n{key} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def padded(rows: Sequence[Sequence[int]]) -> Tokens:
    """Token numbers of each text, as many places as the longest has.

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
    """Features of many texts, so many at a time.

    Example:
        >>> from cladewise.backbones import text
        >>> encoder = text.load("characters")
        >>> tokens = encoder.tokens(["a", "bcd", "e"])
        >>> in_chunks(encoder, tokens, 2).allclose(encoder(tokens))
        True
    """
    parts = [encoder(tokens[start : start + size]) for start in range(0, len(tokens), size)]
    return torch.cat(parts) if parts else torch.zeros(0, encoder.num_features, device=encoder.device)
