"""Values of a graph's optional inputs as text, for files whose inputs cannot have defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def defaults_text(defaults: Mapping[str, Tensor]) -> str:
    """The defaults in JSON: for each input its type and its value.

    Example:
        >>> import torch
        >>> defaults_text({"threshold": torch.tensor(0.5), "allowed": torch.tensor([True, False])})
        '{"threshold": ["float32", 0.5], "allowed": ["bool", [true, false]]}'
    """
    arrays = {name: value.numpy() for name, value in defaults.items()}
    return json.dumps({name: [str(array.dtype), array.tolist()] for name, array in arrays.items()})


def read_defaults(text: str) -> dict[str, NDArray[np.generic]]:
    """The defaults that a text holds.

    Example:
        >>> read_defaults('{"threshold": ["float32", 0.5]}')
        {'threshold': array(0.5, dtype=float32)}
    """
    return {name: np.asarray(value, kind) for name, (kind, value) in json.loads(text).items()}
