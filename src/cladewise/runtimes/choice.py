"""The runtime that encoders are compiled for where none is named.

``CLADEWISE_RUNTIME`` in the environment, or :func:`using`, chooses it; it is ``auto`` otherwise. It belongs to the
machine and not to a run: features are the same to the last digits.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from cladewise.errors import InputError
from cladewise.runtimes.known import AUTO, check_runtime

_chosen: ContextVar[str | None] = ContextVar("runtime", default=None)


VARIABLE = "CLADEWISE_RUNTIME"


def chosen() -> str:
    """The current choice.

    Raises:
        InputError: The environment names a runtime that does not exist.
    """
    named = os.environ.get(VARIABLE) or None
    try:
        check_runtime(named)
    except InputError as error:
        raise InputError(error.expected, error.got, at=VARIABLE, advice=error.advice) from error
    return _chosen.get() or named or AUTO


@contextmanager
def using(runtime: str | None) -> Generator[None, None, None]:
    """Choose a runtime for everything in the block that encodes images.

    Args:
        runtime: ``auto``, ``torch`` or the name of a compiled runtime; ``None`` leaves the choice as it is.

    Raises:
        InputError: There is no such runtime.

    Example:
        >>> with using("torch"):
        ...     chosen()
        'torch'
    """
    check_runtime(runtime)
    token = _chosen.set(runtime or _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)
