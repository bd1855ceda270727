"""Warnings about synonyms, former ids and names in languages that do not lead to one node."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from cladewise.taxonomy.arrays import StrArray
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.names.columns import (
    FORMER_IDS,
    ID,
    SYNONYMS,
    VERNACULAR,
    is_language,
    names_by_row,
)
from cladewise.taxonomy.tree import Taxonomy

MOST_LANGUAGES = 5


def other_name_problems(taxonomy: Taxonomy) -> list[Problem]:
    """At most one warning for each of: synonyms that are names of other nodes, former ids that are ids of others,
    texts that several nodes share, and unknown languages.

    Example:
        >>> columns = {"synonyms": ["", "lynx", ""], "name:de": ["", "Katze", "Katze"]}
        >>> for problem in other_name_problems(Taxonomy([-1, 0, 0], ["cats", "puma", "lynx"], columns=columns)):
        ...     print(problem)
        warning: 1 synonym that is the name of another node: 'lynx' [synonym-of-name]
        warning: 1 name of several nodes, which finds none of them: 'Katze' (name:de) [shared-name]
    """
    named = [column for column in taxonomy.columns if column.startswith(VERNACULAR)]
    others = [column for column in (SYNONYMS, FORMER_IDS, *named) if column in taxonomy.columns]
    if not others:
        return []
    texts = {column: _texts(taxonomy.columns[column]) for column in others}
    cases = (
        (SYNONYMS, taxonomy.names, "synonym-of-name", ("synonym that is the name", "synonyms that are names")),
        (
            FORMER_IDS,
            taxonomy.columns.get(ID),
            "live-former-id",
            ("former id that is the id", "former ids that are ids"),
        ),
    )
    problems: list[Problem] = []
    for column, own, kind, (one, several) in cases:
        taken = _taken(texts.get(column), own)
        if taken:
            what = f"1 {one} of another node" if len(taken) == 1 else f"{len(taken):,} {several} of other nodes"
            problems.append(Problem(0, kind, f"{what}: {some(taken)}", "warning"))
    unknown = [column for column in named if not is_language(column[len(VERNACULAR) :])]
    if unknown:
        text = f"columns of names whose languages are not BCP 47 codes: {some(unknown)}"
        problems.append(Problem(0, "language", text, "warning"))
    return [*problems, *_shared(texts)]


def _texts(cells: StrArray) -> pl.DataFrame:
    """Columns ``node`` and ``text``: every text in the cells."""
    return (
        names_by_row(pl.Series(cells.tolist(), dtype=pl.String))
        .select(node="row", text="name")
        .unique(maintain_order=True)
    )


def _taken(texts: pl.DataFrame | None, own: StrArray | None) -> list[str]:
    """The texts that are the name or id of another node than theirs, and not of their own."""
    if texts is None or own is None:
        return []
    known = pl.DataFrame({"text": pl.Series(own.tolist(), dtype=pl.String)}).with_row_index("other")
    pairs = texts.join(known, on="text", maintain_order="left")
    apart = pairs.group_by("node", "text", maintain_order=True).agg(own=(pl.col("node") == pl.col("other")).any())
    return apart.filter(~pl.col("own"))["text"].unique(maintain_order=True).to_list()


def _shared(texts: Mapping[str, pl.DataFrame]) -> list[Problem]:
    """One warning about the texts that are in the cells of several nodes, with a count for each column."""
    shared = {
        column: twice
        for column, found in texts.items()
        if (twice := found.filter(pl.col("text").is_duplicated())["text"].unique(maintain_order=True).to_list())
    }
    if not shared:
        return []
    most = sorted(shared, key=lambda column: -len(shared[column]))
    listed = ", ".join(
        f"{shared[column][0]!r} ({_column(column, len(shared[column]))})" for column in most[:MOST_LANGUAGES]
    )
    more = f", and {len(most) - MOST_LANGUAGES} more columns" if len(most) > MOST_LANGUAGES else ""
    number = sum(map(len, shared.values()))
    noun = "name of several nodes, which finds" if number == 1 else "names of several nodes each, which find"
    return [Problem(0, "shared-name", f"{number:,} {noun} none of them: {listed}{more}", "warning")]


def _column(column: str, count: int) -> str:
    return column if count == 1 else f"{column}, and {count - 1:,} more"
