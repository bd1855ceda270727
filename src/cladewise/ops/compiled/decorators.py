"""Decorators that compile the functions of this package, and the types of their arguments."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Floats = NDArray[Any]
Nodes = NDArray[np.int64]


def kernel(function: F) -> F:
    """Compile a function when it is first called, and keep the code on disk until a file of its package changes.

    Numba itself would keep the code of a function until that function's own file changes, also if it calls functions
    of other files.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract", "nsz"},  # sums in any order; but nan and infinities stay what they are
    }
    try:
        compiled: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in
        return cast(F, numba.njit(**options)(function))
    kept = compiled._cache._cache_file  # numba has no public name for it
    kept._source_stamp = kept._source_stamp, _digest(function.__module__.rpartition(".")[0])
    return cast(F, compiled)


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that Python has no word for; the first argument of the definition is numba's own."""
    return cast(Callable[..., Any], intrinsic(function))


@functools.cache
def _digest(package: str) -> bytes:
    """Digest of the sources of a package."""
    files = [file for file in importlib.resources.files(package).iterdir() if file.name.endswith(".py")]
    sources = [(file.name, file.read_bytes()) for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256(repr(sources).encode()).digest()
