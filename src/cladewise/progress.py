"""Progress bars, on standard error, for whatever may take longer than two seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


def bar(*, shown: bool = True) -> Progress:
    """A progress display in the project's one style; silent where standard error is not a terminal.

    Example:
        >>> with bar(shown=False) as progress:
        ...     task = progress.add_task("features", total=3)
        ...     progress.advance(task)
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not (shown and sys.stderr.isatty()),
    )


def track(items: Iterable[Item], text: str, *, total: int | None = None, shown: bool = True) -> Iterator[Item]:
    """Yield the items while a bar shows how many have gone by.

    Example:
        >>> list(track([1, 2], "counting"))
        [1, 2]
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(shown=shown) as progress:
        task = progress.add_task(text, total=total)
        for item in items:
            yield item
            progress.advance(task)
