"""The form of tensor code that exporters can trace: plain torch of fixed shapes, without branches on values."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_traced: ContextVar[bool] = ContextVar("traced", default=False)


@contextmanager
def traced() -> Generator[None]:
    """Compute in the form that an exporter can trace, inside the context.

    Kernels are not used, shapes follow from the sizes of the batch and of the tree alone, and nothing branches on the
    value of a tensor: inputs are not checked, and of two ways to compute a result, the one that is right for all values
    is used. It may also be used without an exporter, to compute what a graph computes, and to fill caches with real
    tensors before tracing, which would fill them with stand-ins.

    Example:
        >>> with traced():
        ...     is_traced()
        True
        >>> is_traced()
        False
    """
    token = _traced.set(True)
    try:
        yield
    finally:
        _traced.reset(token)


def is_traced() -> bool:
    """Whether results have to be computed in the form that an exporter can trace; see :func:`traced`."""
    return _traced.get()
