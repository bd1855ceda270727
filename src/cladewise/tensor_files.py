"""Reproducible safetensors files: equal content gives equal bytes."""

from __future__ import annotations

import json
from typing import Any

METADATA = "__metadata__"


def reproducible(content: bytes) -> bytes:
    """The same safetensors file with its metadata in alphabetical order.

    The library writes metadata in an order that changes from call to call, so hashes of equal files would differ.

    Args:
        content: Output of ``safetensors.torch.save`` or ``safetensors.numpy.save``.

    Example:
        >>> import numpy as np, safetensors.numpy
        >>> about = {"tree": "a", "data": "b", "model": "c"}
        >>> saved = [safetensors.numpy.save({"x": np.zeros(3)}, metadata=about) for _ in range(9)]
        >>> len(set(map(reproducible, saved))), safetensors.numpy.load(reproducible(saved[0]))["x"].tolist()
        (1, [0.0, 0.0, 0.0])

    References: the header is a length in 8 bytes, then JSON, https://github.com/huggingface/safetensors#format.
    """
    header, end = _header(content)
    header[METADATA] = dict(sorted(header.get(METADATA, {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8 bytes
    return b"".join([len(text).to_bytes(8, "little"), text, memoryview(content)[end:]])


def metadata(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file in memory, which the library reads from files only.

    Example:
        >>> import numpy as np, safetensors.numpy
        >>> metadata(safetensors.numpy.save({"x": np.zeros(3)}, metadata={"tree": "a"}))
        {'tree': 'a'}
    """
    return dict(_header(content)[0].get(METADATA, {}))


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors begin."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), end
