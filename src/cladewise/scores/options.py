"""Options for reading scores: the format of the file, the meaning of its values, and the columns it uses."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, get_args

from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import SEPARATOR_WORDS, one_of

Values = Literal["probabilities", "log-probabilities", "logits", "percentages"]
"""The scale of the numbers."""
Over = Literal["leaves", "nodes", "levels", "totals", "independent"]
"""Classes that compete: those whose probabilities together are 1."""
Missing = Literal["impossible", "elsewhere"]
"""Meaning of probability that a row leaves over."""
Unmatched = Literal["refuse", "elsewhere"]
"""Treatment of classes that are not in the taxonomy."""

HELP = {
    "format": "format of the scores, if it cannot be recognised",
    "values": "scale of the scores: probabilities, log-probabilities, logits or percentages",
    "over": "classes that compete, so that their probabilities sum to 1: leaves; nodes, each with mass of its own; "
    "levels, the classes of each level; totals, every node with all below it; or independent, none",
    "missing": "what a row's probabilities lack to 1: impossible, so that they are scaled to 1, or elsewhere",
    "unmatched": "classes that are not in the taxonomy: refuse, or count their mass as elsewhere",
    "elsewhere": "classes outside the taxonomy, such as blank, whose mass is elsewhere",
    "classes": "the classes of an array without names, in order: a text file with one per line, or a list",
    "key": "the column that names the rows, such as paths of images",
    "class_column": "lists: the column of classes",
    "score_column": "lists: the column of scores",
    "label_column": "the column of true labels",
    "columns": "number columns that are no scores, such as coordinates, to keep with the rows",
    "labels": "a table of true labels: the rows' keys, their labels and further columns",
    "separator": "text tables: the character that separates cells, or tab",
}
"""Help text of each option."""


@dataclasses.dataclass(frozen=True)
class ScoreOptions:
    """How to read scores; the fields are the options of :func:`cladewise.scores.open_scores`.

    Raises:
        InputError: An option has an unknown value.

    Example:
        >>> ScoreOptions(values="logits", elsewhere=["blank"]).given()
        {'values': 'logits', 'elsewhere': ['blank']}
    """

    format: str | None = None
    values: Values | None = None
    over: Over | None = None
    missing: Missing | None = None
    unmatched: Unmatched = "refuse"
    elsewhere: Sequence[str] = ()
    classes: str | PathLike[str] | Sequence[str] | None = None
    key: str | None = None
    class_column: str | None = None
    score_column: str | None = None
    label_column: str | None = None
    columns: Sequence[str] = ()
    labels: str | PathLike[str] | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        one_of("values", self.values, (None, *get_args(Values)))
        one_of("over", self.over, (None, *get_args(Over)))
        one_of("missing", self.missing, (None, *get_args(Missing)))
        one_of("unmatched", self.unmatched, get_args(Unmatched))
        for option in ("elsewhere", "columns"):
            if isinstance(getattr(self, option), str):
                raise InputError(f"{option} to be a list", repr(getattr(self, option)))
        if self.separator is not None:
            separator = SEPARATOR_WORDS.get(self.separator, self.separator)
            if len(separator) != 1 or separator in '"\r\n':
                raise InputError("separator to be one character, or the word tab", repr(self.separator))
            object.__setattr__(self, "separator", separator)

    def given(self) -> dict[str, Any]:
        """The non-default options, as plain values for a configuration file."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                found[field.name] = plain(value)
        return found


def plain(value: Any) -> Any:
    """A value as a text or a list of texts."""
    return value if isinstance(value, str) else os.fspath(value) if isinstance(value, PathLike) else list(value)
