"""Tables on standard output from which nothing is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def print_table(table: Table, *, fold: bool = True) -> None:
    """Print a table: as wide as it needs to be, or on a terminal folded to its width.

    Args:
        table: What to print. How its columns wrap is changed.
        fold: Whether cells may go on in a further line on a terminal, all but those of the first column. Where columns
            are many and narrow, rows that run over the edge are easier to read.
    """
    from rich.console import Console, ConsoleDimensions
    from rich.measure import Measurement

    for column in table.columns[: 1 if fold else None]:
        column.no_wrap = True
    for column in table.columns:
        column.overflow = "fold"
    console = Console()
    if not (fold and console.is_terminal):
        unbounded = console.options.update(max_width=10_000)
        width = max(console.width, Measurement.get(console, unbounded, table).maximum)
        console.size = ConsoleDimensions(width, console.height)
    console.print(table)
