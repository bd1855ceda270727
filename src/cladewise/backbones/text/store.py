"""Features of texts by a frozen encoder, computed once and cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.atomic import write_bytes
from cladewise.backbones.text.encoder import TextEncoder, in_chunks
from cladewise.cache import cache_folder

CHUNK = 256
"""Number of texts encoded at once."""


def embedded_texts(
    encoder: TextEncoder, texts: Sequence[str], *, chunk: int = CHUNK, cache_dir: Path | None = None
) -> Float[Tensor, "text feature"]:
    """Features of texts in single precision, from the cache if available.

    The key is a hash of the encoder, including its weights, and of the texts. The result carries no gradient.

    Args:
        encoder: The encoder; always used in evaluation mode.
        texts: Any number of texts; only a chunk of them is in memory at once.
        chunk: Number of texts encoded at once.
        cache_dir: The cache, if not the default one; see :func:`cladewise.cache.cache_folder`.

    Example:
        >>> from cladewise.backbones import text
        >>> embedded_texts(text.load("characters"), ["a", "b"], cache_dir=getfixture("tmp_path")).shape
        torch.Size([2, 128])
    """
    path = (cache_dir or cache_folder()) / "texts" / f"{_key(encoder, texts)}.safetensors"
    if path.is_file():
        try:
            return safetensors.torch.load_file(path, device=str(encoder.device))["features"]
        except (safetensors.SafetensorError, KeyError):  # incomplete or foreign file: recompute
            pass
    learning = encoder.training
    try:
        with torch.inference_mode(False), torch.no_grad():
            tokens = encoder.eval().tokens(texts).to(encoder.device)
            features = in_chunks(encoder, tokens, chunk).float()
    finally:
        encoder.train(learning)
    write_bytes(path, safetensors.torch.save({"features": features.cpu().contiguous()}))
    return features


def _key(encoder: TextEncoder, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(encoder.fingerprint.encode())
    for text in texts:
        digest.update(f"\0{text}".encode())
    return digest.hexdigest()[:24]
