"""Dispatch to the compiled kernels of :mod:`cladewise.ops.compiled`, and a switch to disable them.

Kernels are used for tensors on a CPU if numba is installed. They are compiled on first use and cached on disk. Every
operation also exists in plain torch, for other devices, for machines without numba, and as an oracle for the tests.
``CLADEWISE_KERNELS=0`` in the environment, or :func:`without_kernels`, disables them.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType

import torch
from torch import Tensor

from cladewise.tracing import is_traced

WORTH_A_THREAD = 1 << 15
"""Smallest number of values per thread."""

_enabled: ContextVar[bool] = ContextVar("kernels", default=os.environ.get("CLADEWISE_KERNELS", "1") != "0")


@contextmanager
def without_kernels() -> Generator[None]:
    """Compute in plain torch inside the context.

    Example:
        >>> with without_kernels():
        ...     has_kernels(torch.zeros(1))
        False
    """
    token = _enabled.set(False)
    try:
        yield
    finally:
        _enabled.reset(token)


def has_kernels(values: Tensor) -> bool:
    """Whether compiled kernels are available and enabled for this tensor."""
    usable = values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64, torch.int64)
    return usable and _enabled.get() and not is_traced() and not torch.compiler.is_compiling() and _load() is not None


def by_rows(kernel: str, values: Tensor, *tensors: Tensor) -> None:
    """Run a kernel over all rows of ``values``, on as many threads as torch uses; it writes into some of ``tensors``.

    Kernels release the GIL and run on plain Python threads: no second thread pool spins next to torch's, and forked
    processes, such as data-loader workers, can use them.
    """
    run = getattr(_load(), kernel)
    arguments = [t.detach().contiguous().numpy() for t in (values, *tensors)]
    rows = values.shape[0]
    threads = max(1, min(torch.get_num_threads(), rows, values.numel() // WORTH_A_THREAD))
    bounds = [rows * i // threads for i in range(threads + 1)]
    pending = [
        _pool(os.getpid(), torch.get_num_threads()).submit(run, first, last, *arguments)
        for first, last in itertools.pairwise(bounds[1:])
    ]
    run(0, bounds[1], *arguments)
    for part in pending:
        part.result()


@functools.cache
def _load() -> ModuleType | None:
    if importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module("cladewise.ops.compiled")


@functools.cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """A pool per process, since threads do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"cladewise-{process}")
