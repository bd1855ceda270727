"""The columns of a table with one column per class: the classes, the rows' names, and the rest."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from cladewise.errors import InputError
from cladewise.scores.classes import ScoredClass
from cladewise.scores.options import ScoreOptions
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.table import INDICES
from cladewise.taxonomy.names.lookup import look_up
from cladewise.taxonomy.names.sameness import composed, folded, loose

KEY_WORDS = re.compile(
    r"(image|img|photo|picture|file|media|sample)?(path|file|files|filename|filepath|name|id|key|url|uri|image)s?|fname"
    r"|image|img|photo|picture|sample|observation(id)?"
)
"""Names of columns that name rows, without blanks and joining marks."""


@dataclasses.dataclass(frozen=True)
class WideColumns:
    """The roles of columns.

    Attributes:
        classes: Names of the score columns.
        others: Names of the other columns.
        key: The column that names the rows; None if there is none.
    """

    classes: tuple[str, ...]
    others: tuple[str, ...]
    key: str | None

    @property
    def scored(self) -> tuple[ScoredClass, ...]:
        """The class of each score column."""
        return tuple(ScoredClass(name) for name in self.classes)


def wide_columns(numeric: Mapping[str, bool], taxonomy: Taxonomy, options: ScoreOptions, *, at: str) -> WideColumns:
    """The roles of the columns of a wide table.

    A column of numbers is a class, unless it names the rows or the options say otherwise. Columns of texts are kept.

    Args:
        numeric: Whether each column holds numbers, by name.
        taxonomy: The label tree.
        options: Names of the columns with other roles.
        at: The file, for messages.

    Raises:
        InputError: A column that the options name does not exist.

    Example:
        >>> t = Taxonomy.from_paths([("cat",), ("dog",)])
        >>> wide_columns({"file": False, "cat": True, "dog": True}, t, ScoreOptions(), at="").classes
        ('cat', 'dog')
    """
    for name in (options.key, options.label_column, *options.columns):
        if name is not None and name not in numeric:
            raise InputError(f"the column {name!r}", some(list(numeric), 12), at=at)
    kept = {options.key, options.label_column, *options.columns}
    scored = {name for name, holds in numeric.items() if holds and name not in kept and name not in INDICES}
    key = options.key or key_column([name for name in numeric if name not in scored or not is_class(taxonomy, name)])
    classes = [name for name in numeric if name in scored and name != key]
    others = [name for name in numeric if name == key or (name not in scored and name not in INDICES)]
    return WideColumns(tuple(classes), tuple(others), key)


def is_class(taxonomy: Taxonomy, name: str) -> bool:
    """Whether a column's name is a label of the tree."""
    return name in taxonomy.called(composed).certain or bool(look_up(taxonomy, name).nodes)


def num_classes(names: Sequence[str], taxonomy: Taxonomy) -> int:
    """Number of columns whose names are labels of the tree."""
    return sum(is_class(taxonomy, name) for name in names)


def key_column(names: Sequence[str]) -> str | None:
    """The column that names the rows: ``path``, or the first that is called so in other words, or an unnamed index.

    Example:
        >>> key_column(["site", "file_name", "id"]), key_column(["site"])
        ('file_name', None)
    """
    exact = [name for name in names if folded(name) == "path"]
    alike = [name for name in names if KEY_WORDS.fullmatch(loose(name))]
    files = [name for name in alike if re.search(r"path|file|image|img|photo|picture", loose(name))]
    index = [name for name in names if name in INDICES]
    return next(iter([*exact, *files, *alike, *index]), None)
