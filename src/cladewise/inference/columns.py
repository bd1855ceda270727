"""Rules that need more than the prediction: the further columns of each image's row."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import polars as pl

from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.taxonomy import Taxonomy

Rule = TypeVar("Rule")


@runtime_checkable
class NeedsColumns(Protocol):
    """A rule that depends on columns of the table that lists the images, such as a region or a date.

    The engine binds it to the columns of every part before the part's prediction is given to it.
    """

    @property
    def needs_columns(self) -> bool:
        """Whether there are columns without which it cannot be used as it stands."""
        ...

    def bound(self, columns: pl.DataFrame) -> Inference:
        """The rule for the images with these rows, one row per image, in the order of the prediction.

        Raises:
            InputError: A column is missing, or has a value that cannot be used.
        """
        ...

    def notes(self, columns: pl.DataFrame, taxonomy: Taxonomy) -> tuple[str, ...]:
        """Sentences for the user about rows that the rule leaves as they are.

        Raises:
            InputError: As :meth:`bound`.
        """
        ...


def bound_to(rule: Rule, columns: pl.DataFrame | None) -> Rule:
    """A rule bound to the columns of some images, if it needs any; otherwise the rule itself.

    Args:
        rule: An inference, a decision, or ``None``.
        columns: One row per image; ``None`` if nothing but the images is known.

    Raises:
        InputError: The rule needs columns and there are none, or as :meth:`NeedsColumns.bound`.

    Example:
        >>> from cladewise.inference import BottomUp
        >>> bound_to(BottomUp(), None)
        BottomUp()
    """
    needing = _needing(rule)
    return rule if needing is None else cast("Any", needing.bound(_there(columns, rule)))


def notes_on(rule: object, columns: pl.DataFrame | None, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Sentences for the user about rows that a rule leaves as they are.

    Raises:
        InputError: As :func:`bound_to`.

    Example:
        >>> from cladewise.inference import BottomUp
        >>> notes_on(BottomUp(), None, Taxonomy.from_paths([("a",)]))
        ()
    """
    needing = _needing(rule)
    return () if needing is None else needing.notes(_there(columns, rule), taxonomy)


def needs_columns(rule: object) -> bool:
    """Whether a rule, or a rule inside it, needs columns.

    Example:
        >>> from cladewise.inference import BottomUp
        >>> needs_columns(BottomUp())
        False
    """
    return _needing(rule) is not None


def _needing(rule: object) -> NeedsColumns | None:
    return rule if isinstance(rule, NeedsColumns) and rule.needs_columns else None


def _there(columns: pl.DataFrame | None, rule: object) -> pl.DataFrame:
    if columns is None:
        raise InputError(
            "images that are listed in a table with further columns",
            "images of which nothing else is known",
            at=str(getattr(rule, "handle", "")),
            advice="List them in a table with a column for each key.",
        )
    return columns
