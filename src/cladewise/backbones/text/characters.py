"""A text encoder without pretrained weights: a bag of words and character n-grams, trained from scratch."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones.text.encoder import TextEncoder, Tokens, padded

NAME = "characters"
GROUPS = (3, 4, 5)
"""Lengths of the character n-grams."""


class Characters(TextEncoder):
    r"""Mean of learnt vectors of the words of a text and of their character n-grams of length 3 to 5.

    .. math:: t = \frac{1}{|G|} \sum_{g \in G} E_{h(g)}

    Case is ignored; words are delimited by ``<`` and ``>``. The hash :math:`h` (CRC-32) maps n-grams to the rows of a
    table, with collisions if there are many. It is a small trainable encoder for offline use: it knows that *wood
    warbler* and *reed warbler* share a word, but nothing about what words mean.

    Args:
        num_features: Width of the vectors.
        num_rows: Number of rows of the table.
        seed: Seed of the initial vectors.

    Example:
        >>> encoder = Characters()
        >>> e = nn.functional.normalize(encoder(encoder.tokens(["wood warbler", "reed warbler", "fern"])), dim=-1)
        >>> bool(e[0] @ e[1] > 0.5 > e[0] @ e[2])
        True

    References: Bojanowski, Grave, Joulin and Mikolov, Enriching word vectors with subword information, TACL 2017,
        arXiv:1607.04606, with n-grams of 3 to 6 characters and FNV-1a as hash.
    """

    def __init__(self, num_features: int = 128, num_rows: int = 2048, seed: int = 0) -> None:
        super().__init__(NAME, num_features)
        generator = torch.Generator().manual_seed(seed)
        self.vectors = nn.Parameter(torch.randn(num_rows, num_features, generator=generator))

    def tokens(self, texts: Sequence[str]) -> Tokens:
        return padded([[zlib.crc32(group.encode()) % len(self.vectors) for group in letter_groups(t)] for t in texts])

    def forward(self, tokens: Tokens) -> Float[Tensor, "text feature"]:
        lengths = tokens.present.sum(-1)
        offsets = lengths.cumsum(0) - lengths
        return nn.functional.embedding_bag(tokens.ids[tokens.present], self.vectors, offsets, mode="mean")

    def extra_repr(self) -> str:
        return f"num_features={self.num_features}, num_rows={len(self.vectors)}"


def letter_groups(text: str) -> list[str]:
    """The words of a text, each followed by its character n-grams.

    Example:
        >>> letter_groups("a fern")
        ['<a>', '<fern>', '<fe', 'fer', 'ern', 'rn>', '<fer', 'fern', 'ern>', '<fern', 'fern>']
    """
    found: list[str] = []
    for word in re.findall(r"\w+", text.lower()):
        marked = f"<{word}>"
        groups = [marked[i : i + size] for size in GROUPS for i in range(len(marked) - size + 1)]
        found += [marked, *(group for group in groups if group != marked)]
    return found or ["<>"]
