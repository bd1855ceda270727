"""Tables with one column of paths: ``Clothing > Shirts``, ``k__Bacteria; p__Firmicutes``, ``fruit/apple``.

Product catalogues and microbial classifiers write trees in this form. Such a table is converted to a level table.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.options import ReadOptions, argument
from cladewise.taxonomy.formats.tables.column_names import is_attribute, numbering, ranks_of
from cladewise.taxonomy.formats.tables.header_row import HEADER_ADVICE, NUMBER, header_problems
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.names.columns import ID

MARKS = (" > ", ">", "|", ";", "::", "/", ".")
"""Separators between the names of a path, the least ambiguous first."""

RANKED = r"^[a-z]{1,2}__"
"""A rank prefix, as in ``g__Bacillus``; without a name if that is unknown."""

NUMBERED = r"^(\S*\d\S*|\w+://\S+) +[-:] +(.+)$"
"""An id before a path, as in Google's and Shopify's lists of products."""

SAMPLE = 1000
"""Number of rows searched for separators before all are."""


@dataclasses.dataclass(frozen=True)
class Paths:
    """A column of paths, its separator, and the evidence."""

    column: str
    mark: str
    because: str


def find_paths(table: Table) -> Paths | None:
    """The column that certainly contains paths, if all others only describe nodes.

    Example:
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> found = find_paths(from_frame(pl.DataFrame({"id": [1, 2], "path": ["fruit", "fruit/apple"]})))
        >>> found.column, found.mark, found.because
        ('path', '/', "paths in 'path' that continue each other")
    """
    found = sure_paths(table)
    return found if found is not None and not _undescribed(table, found) else None


def sure_paths(table: Table) -> Paths | None:
    """The first column that certainly contains paths, whatever the others contain."""
    columns = [] if _called_as_levels(table) else sorted(table.columns, key=is_attribute)
    return next((paths for name in columns if (paths := _sure(table.frame[name], name))), None)


def likely_paths(table: Table) -> Paths | None:
    """The first of several columns with separators in nearly all values, which could be paths."""
    for name in table.columns if table.frame.width > 1 and not _called_as_levels(table) else ():
        for mark in (mark for mark in MARKS if mark not in ("/", ".") and not is_attribute(name)):
            if int(table.frame[name].str.contains(mark, literal=True).sum()) * 10 >= table.frame.height * 9 > 9:
                return Paths(name, mark, f"{mark!r} in the values of {name!r}, as paths do")
    return None


def path_row(table: Table) -> bool:
    """Whether the header of a single column is certainly a path like those below it."""
    paths = find_paths(table) if table.header_line and table.frame.width == 1 else None
    if paths is None:
        return False
    cells, keys = _numbered(table.frame[paths.column])
    if keys is not None:
        return re.search(NUMBERED, paths.column) is not None
    own = _steps(pl.Series([paths.column]), paths.mark)[0]
    return len(own) > 1 or bool((_steps(cells, paths.mark).list.first() == own[0]).any())


def without_comments(table: Table) -> Table:
    """The table of one column without the lines at its top that are comments, if the first line is one.

    Example:
        >>> from cladewise.taxonomy.formats.tables.table import from_frame
        >>> table = from_frame(pl.DataFrame({"# Products, 2026": ["# id : path", "1 - Toys", "2 - Toys > Kites"]}))
        >>> without_comments(table).frame.to_series().to_list()
        ['1 - Toys', '2 - Toys > Kites']
    """
    if table.frame.width != 1 or not table.columns[0].startswith("#"):
        return table
    comments = table.frame[table.columns[0]].str.starts_with("#").cum_min()
    return table.where(~comments) if comments.any() else table


def as_levels(table: Table, options: ReadOptions) -> tuple[Table, ReadOptions]:
    """Convert a column of paths to a level table, with all other columns as further texts.

    Raises:
        InputError: No column contains paths, several are given, or the header is a path.
    """
    chosen = [table.column(name) for name in options.levels or ()]
    if len(chosen) > 1:
        raise InputError("one column of paths", some(chosen), at=table.source)
    if not chosen:
        named = sure_paths(table)
        chosen = [named.column] if named else table.columns if len(table.columns) == 1 else []
    if not chosen:
        advice = f"Pass {argument('levels', ['...'])} with the column of the paths."
        raise InputError("a column of paths", some(table.columns, 20), at=table.source, advice=advice)
    column = chosen[0]
    cells = table.frame[column]
    mark = next((mark for mark in MARKS if cells.str.contains(mark, literal=True).sum() * 2 >= cells.len()), MARKS[0])
    if table.header_line and mark in column:
        at = f"{table.source}:{table.header_line}"
        raise InputError("a header that names the columns", f"the path {column!r}", at=at, advice=HEADER_ADVICE)
    if table.frame.width == 1 and not column.startswith("#"):  # a comment is not a path
        header_problems(table, [column])
    rest = table.frame.drop(column)
    if not table.named:  # their generated names say level
        rest = rest.rename({name: name.replace("level", "column") for name in rest.columns})
    _one_id_each(table, cells)
    cells, keys = _numbered(cells)
    if keys is not None:
        rest = rest.with_columns(keys.alias("id"))
    steps = _steps(cells, mark)
    problems = (*table.problems, *_id_problems(table, rest, steps))
    names = [f"level_{k}" for k in range(1, int(steps.list.len().max() or 1) + 1)]  # type: ignore[call-overload]
    taken = [name for name in names if name in rest.columns]
    if taken:
        raise InputError("a table of paths without additional level columns", some(taken), at=table.source)
    levels = [steps.list.get(k, null_on_oob=True).fill_null("").alias(name) for k, name in enumerate(names)]
    frame = pl.DataFrame(levels).hstack(rest)
    kept = [name for name in rest.columns if not options.columns or name in options.columns]
    return (
        dataclasses.replace(table, frame=frame, header_line=0, problems=problems),
        dataclasses.replace(options, format="levels", levels=names, columns=kept),
    )


def _id_problems(table: Table, rest: pl.DataFrame, steps: pl.Series) -> list[Problem]:
    """Warnings about a path with several ids, of which the first is kept, and an id of several paths."""
    if ID not in rest.columns:
        return []
    pairs = pl.DataFrame({"path": steps.list.join(" > "), ID: rest[ID].str.strip_chars()}).with_row_index("row")
    pairs = pairs.filter((pl.col(ID) != "") & (pl.col("path") != "")).unique(["path", ID], maintain_order=True)
    problems: list[Problem] = []
    for key, kind in (("path", "other-texts"), (ID, "duplicate")):
        again = pairs.filter(~pl.col(key).is_first_distinct())
        for row, path, own in again.select("row", "path", ID).iter_rows():
            text = (
                f"another id {own!r} of the path {path!r}" if key == "path" else f"the id {own!r} of another path too"
            )
            problems.append(Problem(table.line(row), kind, text, "warning"))
    return problems


def _steps(cells: pl.Series, mark: str) -> pl.Series:
    """The names of every path; blank for a rank without a name, ignoring separators at the ends."""
    edges = rf"^(?:\s*{re.escape(mark.strip())})+\s*|\s*(?:{re.escape(mark.strip())}\s*)+$"
    steps = cells.str.replace_all(edges, "").str.split(mark)
    return steps.list.eval(pl.element().str.strip_chars().str.replace(rf"{RANKED}$", ""))


def _numbered(cells: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """The paths and, if all begin with a unique id, the ids."""
    keys = cells.str.extract(NUMBERED, 1)
    if keys.null_count() or not keys.is_unique().all():
        return cells, None
    return cells.str.extract(NUMBERED, 2), keys


def _one_id_each(table: Table, cells: pl.Series) -> None:
    """Refuse ids before most paths that are not before all of them, or that repeat: they would become part of names."""
    keys = cells.str.extract(NUMBERED, 1)
    given = keys.len() - keys.null_count()
    advice = "Give each path one id of its own, or remove the ids."
    if 2 * given > keys.len() and given < keys.len():
        row = int(keys.is_null().arg_true()[0])
        at = f"{table.source}:{table.line(row)}"
        raise InputError("an id before each path", f"{cells[row]!r} without", at=at, advice=advice)
    if given == keys.len():
        again = pl.DataFrame({"key": keys, "path": cells}).unique(maintain_order=True)
        twice = again.filter(pl.col("key").is_duplicated())
        if twice.height:
            got = f"{twice['path'][0]!r} and {twice['path'][1]!r}"
            raise InputError("a different id before each path", got, at=table.source, advice=advice)


def _sure(cells: pl.Series, name: str) -> Paths | None:
    first = cells.head(SAMPLE)
    marks = [mark for mark in MARKS if first.str.contains(mark, literal=True).any()]
    filled, _ = _numbered(cells.filter(cells.str.strip_chars() != "")) if marks else (cells.clear(), None)
    if filled.len() < 2:
        return None
    if not filled.str.contains(r"\p{L}").any():  # numbers of nodes, whose names are in another column
        return None
    for mark in marks:
        share = float(filled.str.contains(mark, literal=True).mean() or 0.0)  # type: ignore[arg-type]
        if share >= 0.5 and mark == " > ":
            return Paths(name, mark, f"names with {mark!r} between them in {name!r}")
        if share >= 0.5 and mark in ("|", ";") and filled.str.contains(RANKED).all():
            return Paths(name, mark, f"names with their ranks in {name!r}")
        if (share >= 0.5 or (share and mark == " > ")) and _continue(filled, mark):
            return Paths(name, mark, f"paths in {name!r} that continue each other")
    return None


def _continue(filled: pl.Series, mark: str) -> bool:
    """Whether every path of several steps extends another, as in tables with one row per node."""
    steps = _steps(filled, mark)
    whole = steps.list.join(mark)
    above = steps.filter(steps.list.len() > 1)
    above = above.list.eval(pl.element().slice(0, pl.len() - 1)).list.join(mark)
    return above.len() > 0 and bool(above.is_in(whole.implode()).all()) and bool(whole.is_unique().all())


def _called_as_levels(table: Table) -> bool:
    return table.named and bool(ranks_of(table.columns) or numbering(table.columns))


def _undescribed(table: Table, paths: Paths) -> Sequence[str]:
    """Columns other than the paths that are neither numbers nor named as ids or notes."""
    others = [name for name in table.columns if name != paths.column and not is_attribute(name)]
    return [name for name in others if not table.frame[name].str.contains(f"{NUMBER}|^$").all()]
