"""A function applied to many items by threads, with results in the order of the items."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Iterator[Result]:
    """Apply a function in threads and yield the results in the order of the items.

    Decoding an image and reading a file release the interpreter lock, so threads share the work without the memory of
    further processes. Items are drawn from the iterable only as far ahead as the limit, so it may be endless.

    Args:
        function: Called in a thread. An exception ends the iteration where its result would come.
        items: The items, drawn in the thread that iterates.
        threads: Number of threads; with 0 the function is called in the thread that iterates.
        ahead: Largest number of items drawn whose results have not been yielded, which bounds the memory.

    Example:
        >>> list(ordered_map(str, range(3), threads=2, ahead=2))
        ['0', '1', '2']
    """
    if threads == 0:
        yield from map(function, items)
        return
    drawn = iter(items)
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="cladewise-images")
    try:
        waiting.extend(pool.submit(function, item) for item in islice(drawn, max(1, ahead)))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(drawn, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
