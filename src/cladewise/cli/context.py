"""Options that say what else is known of images: labels that are possible, and groups that show the same thing."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cladewise.catalogue import nearest
from cladewise.errors import InputError

POOLS = ("mean", "product", "max")
"""As :data:`cladewise.predictions.POOLS`, without loading torch."""

Allowed = Annotated[
    str | None,
    typer.Option(
        help="Labels that are possible, separated by commas, or a file with one per line. The others get probability "
        "0: the subset inference, after the method's own or --inference."
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        help="Images that show the same thing, to be answered as one: a column of the table that lists them, folder, "
        "path:REGEX (the first group of a regular expression in the path), or a table with the columns path and group.",
        rich_help_panel="Groups",
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        help=f"How predictions of a group are pooled: {', '.join(POOLS)}.",
        show_default="product",
        rich_help_panel="Groups",
    ),
]


def context_of(allowed: str | None, group_by: str | None, pool: str | None) -> dict[str, Any]:
    """The options as arguments of the library, those that are given.

    Raises:
        InputError: There is no such way of pooling, or no groups to pool.

    Example:
        >>> context_of("Aves", None, None)
        {'allowed': 'Aves'}
    """
    if pool is not None and pool not in POOLS:
        raise InputError(f"--pool {' or '.join(POOLS)}", repr(pool), advice=nearest(pool, POOLS))
    if pool is not None and group_by is None:
        raise InputError("--group-by with --pool", "--pool alone")
    given = {"allowed": allowed, "group_by": group_by, "pool": pool}
    return {name: value for name, value in given.items() if value is not None}
