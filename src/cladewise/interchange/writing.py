"""Writing of prediction tables in the formats of other tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import polars as pl

from cladewise.atomic import writing
from cladewise.errors import InputError
from cladewise.interchange.formats import PredictionFormat, format_called
from cladewise.taxonomy import Taxonomy

Write = Callable[[pl.DataFrame], None]
"""A function that appends the rows of a table."""


@dataclasses.dataclass(frozen=True)
class About:
    """The tree and the model that prediction tables refer to.

    Args:
        taxonomy: The tree whose nodes are in the column ``node``: that of the run.
        model: Name of the model, for formats that say which one it was.

    Example:
        >>> About(Taxonomy.from_paths([("bird", "wren")]), model="hace").model
        'hace'
    """

    taxonomy: Taxonomy
    model: str = ""


@contextmanager
def prediction_writer(form: PredictionFormat, path: Path, about: About) -> Generator[Write]:
    """A function that appends the rows of prediction tables to a file, which appears when it is whole.

    Raises:
        InputError: The file cannot be written, or a table lacks a column that the format needs.
    """
    if path.is_dir():
        raise InputError("a file to write", "a folder", at=str(path))
    with writing(path) as file, form.open(file, about) as append:

        def write(table: pl.DataFrame) -> None:
            form.check(table.columns)
            append(table)

        yield write


def write_predictions(
    tables: pl.DataFrame | Iterable[pl.DataFrame],
    path: str | PathLike[str],
    *,
    format: str,
    taxonomy: Taxonomy,
    model: str = "",
) -> None:
    """Write prediction tables as a file that another tool reads.

    Args:
        tables: One table, such as :meth:`Predicted.to_frame <cladewise.engine.Predicted.to_frame>` gives, or several
            with the same columns, such as those of :class:`~cladewise.scale.Parts`, which are read one at a time.
        path: The file.
        format: Name of a format in :data:`FORMATS`.
        taxonomy: The tree of the run, whose nodes the tables name.
        model: Name of the model, for formats that say which one it was.

    Raises:
        InputError: There is no such format, a table lacks a column, or the file cannot be written.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin")])
        >>> table = pl.DataFrame({"path": ["a.jpg"], "image_id": ["7"], "node": [2], "probability": [0.75]})
        >>> path = getfixture("tmp_path") / "results.json"
        >>> write_predictions(table, path, format="coco-results", taxonomy=tree)
        >>> print(path.read_text())
        [
        {"id":1,"image_id":7,"category_id":2,"score":0.75}
        ]
    """
    with prediction_writer(format_called(format), Path(path), About(taxonomy, model)) as write:
        for table in [tables] if isinstance(tables, pl.DataFrame) else tables:
            write(table)
