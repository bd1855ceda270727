"""Reproducible safetensors files: equal content gives equal bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

METADATA = "__metadata__"
_KINDS = {"float32": "F32", "float16": "F16"}


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


@dataclasses.dataclass(frozen=True)
class TensorParts:
    """A tensor in parts along its first dimension, so that it is never in memory as a whole.

    Args:
        shape: Its shape.
        kind: Type of its values: ``float32`` or ``float16``.
        parts: The parts, in order, each of that type.
    """

    shape: tuple[int, ...]
    kind: str
    parts: Iterable[NDArray[Any]]


def write_in_parts(file: BinaryIO, tensors: Mapping[str, TensorParts], about: Mapping[str, str]) -> None:
    """Write a safetensors file of tensors that come in parts, with metadata in alphabetical order.

    Args:
        file: The file.
        tensors: The tensors by name.
        about: The metadata.

    Raises:
        ValueError: Parts have another size or type than was said.

    Example:
        >>> import io, numpy as np, safetensors.numpy
        >>> file, ones = io.BytesIO(), np.ones((2, 3), np.float32)
        >>> write_in_parts(file, {"x": TensorParts((4, 3), "float32", [ones, ones])}, {"tree": "a"})
        >>> safetensors.numpy.load(file.getvalue())["x"].shape, metadata(file.getvalue())
        ((4, 3), {'tree': 'a'})
    """
    header: dict[str, Any] = {METADATA: dict(sorted(about.items()))}
    last, ordered = 0, sorted(tensors.items(), key=lambda named: (-np.dtype(named[1].kind).itemsize, named[0]))
    for name, tensor in ordered:  # of falling size of their values, so that all are aligned
        size = int(np.prod(tensor.shape, dtype=np.int64)) * np.dtype(tensor.kind).itemsize
        header[name] = {"dtype": _KINDS[tensor.kind], "shape": list(tensor.shape), "data_offsets": [last, last + size]}
        last += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name, tensor in ordered:
        written = 0
        for part in tensor.parts:
            if part.dtype != np.dtype(tensor.kind):
                raise ValueError(f"{part.dtype} instead of {tensor.kind} in {name}")
            written += file.write(np.ascontiguousarray(part).data)
        start, stop = header[name]["data_offsets"]
        if written != stop - start:
            raise ValueError(f"{written} bytes instead of {stop - start} in {name}")
