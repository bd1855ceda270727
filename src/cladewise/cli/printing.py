"""Printing for commands: results to standard output, messages to standard error, control characters to neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from cladewise.escapes import escaped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def tell(text: object) -> None:
    """Print a line of results to standard output."""
    typer.echo(escaped(str(text)))


def say(text: object) -> None:
    """Print a line about the work to standard error; line breaks in names are escaped."""
    typer.echo(escaped(str(text)).replace("\n", "\\n"), err=True)


def console(*, markup: bool = False) -> Console:
    """A console on standard output that escapes control characters in texts.

    Args:
        markup: Whether brackets in texts are markup; names must then be escaped.
    """
    from rich.console import Console, RenderableType
    from rich.segment import Segment

    class Plain(Console):
        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(escaped(text), **options)

        def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(escaped(segment.text), segment.style)

    return Plain(markup=markup, emoji=False, highlight=False)


def print_table(table: Table, *, fold: bool = True) -> None:
    """Print a table from which nothing is cut: as wide as it needs to be, or on a terminal folded to its width.

    Args:
        table: What to print. How its columns wrap is changed.
        fold: Whether cells may go on in a further line on a terminal, all but those of the first column. Where columns
            are many and narrow, rows that run over the edge are easier to read.
    """
    from rich.console import ConsoleDimensions
    from rich.measure import Measurement

    for column in table.columns[: 1 if fold else None]:
        column.no_wrap = True
    for column in table.columns:
        column.overflow = "fold"
    shown = console()
    if not (fold and shown.is_terminal):
        unbounded = shown.options.update(max_width=10_000)
        width = max(shown.width, Measurement.get(shown, unbounded, table).maximum)
        shown.size = ConsoleDimensions(width, shown.height)
    shown.print(table)
