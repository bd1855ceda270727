"""Whether and how compiled kernels run; the kernels themselves are in :mod:`cladewise.ops.compiled`.

They serve tensors on a CPU where numba is installed, and are compiled at their first use and kept on disk. Every
operation has the same in plain torch, for other devices and machines without numba, and as an oracle for the tests.
``CLADEWISE_KERNELS=0`` in the environment, or :func:`without_kernels`, leaves them out.
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

WORTH_A_THREAD = 1 << 15
"""Values that a thread should have to work on, at least."""

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
    """Whether compiled kernels can take this tensor, here and now."""
    usable = values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64, torch.int64)
    return usable and _enabled.get() and not torch.compiler.is_compiling() and _load() is not None


def by_rows(kernel: str, values: Tensor, *tensors: Tensor) -> None:
    """Run a kernel over all rows of ``values``, on as many threads as torch uses; it writes into some of ``tensors``.

    The threads are plain ones, and kernels do not hold the interpreter's lock: there is no second pool that spins
    beside torch's, and nothing that a forked process, like the worker of a data loader, could not use.
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
    """A pool for each process, since threads do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"cladewise-{process}")
