"""Evidence in the nodes' own texts: equal ids, names, synonyms, names in languages and texts of further columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from cladewise.taxonomy.matching import evidence, texts
from cladewise.taxonomy.matching.evidence import SCHEMA, Evidence, Ignorable
from cladewise.taxonomy.names.sameness import composed, folded
from cladewise.taxonomy.tree import Taxonomy

MOST_PAIRS = 36
"""Most pairs of nodes of one text that are compared wherever they are; those of the same path are always compared."""
LEAST_TRUST = 0.6
"""Least share of ids that agree with the names; below it ids are taken for numbers that mean something else."""
LEAST_SHARED = 0.02
"""Least share of the ids of the smaller tree that are in both."""


def direct_evidence(old: Taxonomy, new: Taxonomy, without: Collection[Ignorable] = ()) -> Evidence:
    """Everything that the nodes' own texts say.

    Args:
        old: The old tree.
        new: The new tree.
        without: Kinds of evidence to ignore.
    """
    found: list[pl.DataFrame] = []
    trust, note = 0.0, ""
    names = texts.names(old), texts.names(new)
    if "ids" not in without:
        by_id = _join(texts.ids(old), texts.ids(new))
        trust, note = _trust(old, new, by_id, names)
        if trust:
            found.append(_rows(by_id, "id", trust, pl.format("id {}", "key")))
        if not note:
            found += _by_former_id(old, new)
    if "names" not in without:
        found.append(_by_name(*names))
    if "synonyms" not in without:
        found += _by_synonym(old, new, names)
    if "languages" not in without:
        ours, theirs = texts.in_languages(old), texts.in_languages(new)
        for code in ours.keys() & theirs.keys():
            said = pl.format(f"{code} '{{}}'", "text")
            found.append(_rows(_join(ours[code], theirs[code]), "language", evidence.LANGUAGE, said))
    if "texts" not in without:
        ours, theirs = texts.further_texts(old), texts.further_texts(new)
        for column in ours.keys() & theirs.keys():
            found.append(_rows(_join(ours[column], theirs[column]), "text", evidence.TEXT, pl.lit(f"same {column}")))
    return Evidence(pl.concat([pl.DataFrame(schema=SCHEMA), *found]), trust, note)


def same_paths(old: Taxonomy, new: Taxonomy) -> pl.DataFrame:
    """Pairs of nodes of the same path, which may occur several times if it does so equally often in both trees."""
    ours, theirs = (
        texts.paths(tree).with_columns(
            place=pl.int_range(pl.len()).over("key"), count=pl.len().over("key").cast(pl.Int64)
        )
        for tree in (old, new)
    )
    both = ours.join(theirs, on=["key", "place", "count"], suffix="_new")
    return both.select(old=pl.col("node"), new=pl.col("node_new")).sort("old")


def _join(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of nodes with the same key, and how many nodes of one tree have it, at most."""
    counts = [
        frame.group_by("key").agg(pl.len().cast(pl.Int64).alias(name)) for frame, name in ((ours, "m"), (theirs, "n"))
    ]
    few = counts[0].join(counts[1], on="key").filter(pl.col("m") * pl.col("n") <= MOST_PAIRS)
    few = few.select("key", several=pl.max_horizontal("m", "n"))
    both = ours.join(few, on="key").join(theirs, on="key", suffix="_new")
    return both.rename({"node": "old", "node_new": "new"})


def _rows(pairs: pl.DataFrame, kind: str, weight: float | pl.Expr, text: pl.Expr) -> pl.DataFrame:
    base = pl.lit(weight) if isinstance(weight, float) else weight
    return pairs.select(
        "old", "new", kind=pl.lit(kind), weight=base / pl.col("several"), text=text.cast(pl.String)
    ).cast(SCHEMA)


def _by_name(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    pairs = _join(ours, theirs)
    weights: list[float] = []
    said: list[str] = []
    for one, other in pairs.select("text", "text_new").iter_rows():
        if composed(one) == composed(other):
            weights.append(evidence.NAME)
            said.append("name")
        elif folded(one) == folded(other):
            weights.append(evidence.NAME_FOLDED)
            said.append("name except case or blanks")
        else:
            weights.append(evidence.NAME_LOOSE)
            said.append("name except joining marks")
    pairs = pairs.with_columns(pl.Series("grade", weights, dtype=pl.Float64), pl.Series("said", said, dtype=pl.String))
    return _rows(pairs, "name", pl.col("grade"), pl.col("said"))


def _by_synonym(old: Taxonomy, new: Taxonomy, names: tuple[pl.DataFrame, pl.DataFrame]) -> Iterator[pl.DataFrame]:
    ours, theirs = texts.synonyms(old), texts.synonyms(new)
    for one, other in ((names[0], theirs), (ours, names[1]), (ours, theirs)):
        pairs = _join(one, other)
        yield _rows(pairs, "synonym", evidence.SYNONYM, pl.format("synonym '{}'", "text_new"))


def _by_former_id(old: Taxonomy, new: Taxonomy) -> Iterator[pl.DataFrame]:
    for ours, theirs in ((texts.ids(old), texts.former_ids(new)), (texts.former_ids(old), texts.ids(new))):
        pairs = _join(ours, theirs).with_columns(several=pl.lit(1))  # an id may go to several nodes on purpose
        yield _rows(pairs, "former id", evidence.FORMER_ID, pl.format("former id {}", "key"))


def _trust(
    old: Taxonomy, new: Taxonomy, by_id: pl.DataFrame, names: tuple[pl.DataFrame, pl.DataFrame]
) -> tuple[float, str]:
    """Weight of an equal id, from how often ids agree with names that are unique in both; 0 and a note if rarely."""
    smaller = min(texts.ids(tree).height for tree in (old, new))
    if by_id.height <= LEAST_SHARED * smaller:
        return 0.0, f"ids not used: only {by_id.height:,} of {smaller:,} in both trees" if by_id.height else ""
    once = [frame.filter(pl.len().over("key") == 1) for frame in names]
    by_name = _join(*once)
    both = by_id.join(by_name.select("old", to="new"), on="old", how="left")
    both = both.join(by_name.select("new", by="old"), on="new", how="left")
    agree = both.filter(pl.col("to") == pl.col("new")).height
    contradict = both.filter((pl.col("to") != pl.col("new")) | (pl.col("by") != pl.col("old"))).height
    trust = (agree + 4.5) / (agree + contradict + 5)
    if trust < LEAST_TRUST:
        return 0.0, f"ids not used: {contradict:,} of {by_id.height:,} in both trees contradict the names"
    return evidence.ID_WEIGHT * min(1.0, trust), ""
