"""Labels and old predictions, as columns of a table, translated into an edited tree."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.engine.answering.prediction_table import level_columns
from cladewise.errors import InputError
from cladewise.migration.matched import Matched, Tree, carried_over, implied_tree, opened, tree_of
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.names.lookup import find_all
from cladewise.taxonomy.names.paths import ROOT_NAME

IntArray = NDArray[np.int64]

LABEL, LABEL_PATH, LEAF_PATH, NODE = "label", "label_path", "leaf_path", "node"
_PATH = "_path"
_NONE = -1


def translate(
    table: pl.DataFrame,
    matched: Matched,
    *,
    old: Tree | None = None,
    taxonomy: Tree | None = None,
    column: str = LABEL,
    at: str = "",
) -> pl.DataFrame:
    """A table of labels, or of predictions that were made in an old tree, in the new one.

    A node becomes the node that holds what is known of it: its counterpart, the common ancestor of what it was split
    into, or the parent of what was removed. In a table that ``cladewise predict`` wrote, all paths, names and node
    numbers are translated, and the columns of levels become those of the new tree. A probability is kept where the new
    node holds exactly what the old one held, and is blank elsewhere, since it cannot be told from the table. In any
    other table the labels of one column become whole paths.

    Args:
        table: The table.
        matched: The correspondences, or the table of them.
        old: The old tree, or its file; by default the one that the table of correspondences implies.
        taxonomy: The new tree, or its file; likewise.
        column: Column of the labels, if the table is not one of predictions.
        at: Where the table is from, for messages.

    Raises:
        InputError: There is no such column, a label is not in the old tree, or rows are left to decide.

    Example:
        >>> from cladewise.taxonomy.correspondence import Correspondence
        >>> before = Taxonomy.from_paths([("fruit", "kaki"), ("fruit", "apple")])
        >>> after = Taxonomy.from_paths([("fruit", "persimmon"), ("fruit", "apple")])
        >>> found = Correspondence.from_pairs(before, after, [(1, 1), (2, 2), (3, 3)])
        >>> translate(pl.DataFrame({"path": ["a.jpg"], "label": ["kaki"]}), found).rows()
        [('a.jpg', 'fruit/persimmon')]
    """
    if old is None and not isinstance(matched, (str, PathLike)):
        before = matched.old
    else:
        assert old is not None or isinstance(matched, (str, PathLike))
        before = tree_of(old) if old is not None else implied_tree(matched, side="old")  # type: ignore[arg-type]
    carried = carried_over(opened(matched, before, taxonomy))
    texts = [f"{name}{_PATH}" for name in (LABEL, "leaf", *level_columns(before))]
    texts = [name for name in texts if name in table.columns]
    if texts or "labels" in table.columns:
        return _predictions(table, carried, texts, at)
    if column not in table.columns:
        names = ", ".join(table.columns)
        advice = 'Name the column of labels: column="NAME".'
        raise InputError(f"a table with the column {column}", names, at=at, advice=advice)
    if table[column].dtype == pl.List(pl.String):
        return table.with_columns(_lists(table[column], carried, at))
    return table.with_columns(_paths(_nodes(table[column], carried, at), carried).alias(column))


def translate_labels(labels: Sequence[str], carried: CarryOver, *, at: str = "") -> list[str]:
    """The path in the new tree of each label of the old one.

    Example:
        >>> translate_labels(["kaki"], CarryOver.none(Taxonomy.from_paths([("fruit", "kaki")])))
        ['fruit/kaki']
    """
    return _paths(_nodes(pl.Series(labels, dtype=pl.String), carried, at), carried).to_list()


def _nodes(labels: pl.Series, carried: CarryOver, at: str) -> IntArray:
    """Node in the old tree of each label; -1 for a blank."""
    texts = labels.cast(pl.String).fill_null("").to_list()
    distinct = [text for text in dict.fromkeys(texts) if text]
    place = {"": _NONE}
    if carried.before.synthetic_root and ROOT_NAME in distinct and not _is_known(carried.before, ROOT_NAME):
        place[ROOT_NAME] = 0
        distinct.remove(ROOT_NAME)
    nodes = find_all(
        carried.before,
        distinct,
        at=at,
        expected="labels that each name one node of the old tree",
        advice='Correct them, or give the tree that they are of: old="FILE".',
    )
    place |= dict(zip(distinct, nodes.tolist(), strict=True))
    return np.array([place[text] for text in texts], dtype=np.int64)


def _is_known(taxonomy: Taxonomy, name: str) -> bool:
    return bool((taxonomy.names == name).any())


def _paths(nodes: IntArray, carried: CarryOver) -> pl.Series:
    """Path in the new tree of each old node; blank for none."""
    paths = [path or ROOT_NAME for path in path_texts(carried.after).tolist()]
    return _text([*paths, None], np.where(nodes == _NONE, len(paths), carried.place[nodes]))


def _text(texts: Sequence[str | None], places: IntArray) -> pl.Series:
    return pl.Series(texts, dtype=pl.String).gather(places)


def _lists(lists: pl.Series, carried: CarryOver, at: str) -> pl.Series:
    """Lists of labels, translated; a path that several labels share is listed once."""
    exploded = pl.DataFrame({"row": pl.int_range(len(lists), eager=True), "label": lists}).explode("label").drop_nulls()
    paths = exploded.with_columns(label=_paths(_nodes(exploded["label"], carried, at), carried))
    joined = paths.unique(maintain_order=True).group_by("row", maintain_order=True).agg("label")
    every = pl.DataFrame({"row": pl.int_range(len(lists), eager=True)}).join(joined, on="row", how="left")
    return every.sort("row")["label"].fill_null([]).alias(lists.name)


def _predictions(table: pl.DataFrame, carried: CarryOver, texts: list[str], at: str) -> pl.DataFrame:
    """A table of predictions in the new tree."""
    old, new = carried.before, carried.after
    columns = {name: table[name] for name in table.columns}
    if texts and LABEL_PATH not in texts and LEAF_PATH not in texts:
        return pl.DataFrame(_levels_alone(columns, carried, level_columns(old), level_columns(new), at))
    for name in texts:
        nodes = _nodes(table[name], carried, at)
        short = name.removesuffix(_PATH)
        columns |= _translated(table, carried, nodes, name, short, "probability" if short == LABEL else "")
    for name, *others in (("labels", "probabilities", "label_names"), ("top_labels", "top_probabilities", "top_names")):
        if name in columns:
            columns[name] = _lists(columns[name], carried, at)
            for other in others:
                columns.pop(other, None)  # of labels that may be merged or coarser now
    if LABEL_PATH not in texts:
        return pl.DataFrame(columns)
    nodes = _nodes(table[LABEL_PATH], carried, at)
    if NODE in columns:
        columns[NODE] = pl.Series(np.where(nodes == _NONE, -1, carried.place[nodes])).replace(-1, None)
    return pl.DataFrame(_with_levels(columns, carried, nodes, level_columns(old), level_columns(new)))


def _levels_alone(
    columns: dict[str, pl.Series], carried: CarryOver, before: list[str], after: list[str], at: str
) -> dict[str, pl.Series]:
    """The columns of one answer per level, as a migrated run gives them.

    A new level has the answer of the old level of its name, the finest has that of the finest, and both only as far
    down as the level. A level that repeats a coarser one is blank.
    """
    old, new = carried.before, carried.after
    nodes = np.full((len(before), len(next(iter(columns.values())))), _NONE)
    for level, name in enumerate(before):
        if f"{name}{_PATH}" in columns:
            nodes[level] = _nodes(columns[f"{name}{_PATH}"], carried, at)
        if level:
            nodes[level] = np.where(nodes[level] == _NONE, nodes[level - 1], nodes[level])
    names = [str(text) or ROOT_NAME for text in new.names]
    paths = [path or ROOT_NAME for path in path_texts(new).tolist()]
    levels: dict[str, pl.Series] = {}
    seen = np.full((0, nodes.shape[1]), _NONE)
    for level, name in enumerate(after):
        last = level == len(after) - 1
        source = before.index(name) if name in before[:-1] and not last else len(before) - 1
        answer = nodes[source]
        there = answer != _NONE
        node = np.where(there, new.at_level(level + 1)[carried.place[answer]], _NONE)
        shown = there & ~(seen == node).any(axis=0)
        seen = np.vstack([seen, node])
        places = np.where(shown, node, len(names))
        levels[name], levels[f"{name}{_PATH}"] = _text([*names, None], places), _text([*paths, None], places)
        step = old.at_level(source + 1)[answer]
        known = shown & carried.same_content[step] & (carried.place[step] == node) & (step == answer)
        given = columns.get(f"{before[source]}_probability")
        given = pl.Series([None] * len(known), dtype=pl.Float64) if given is None else given
        levels[f"{name}_probability"] = _blank(given, ~known)
    gone = {f"{name}{more}" for name in before for more in ("", _PATH, "_probability")}
    found: dict[str, pl.Series] = {}
    for name, values in columns.items():
        if name in gone:
            found |= levels
            levels = {}
        else:
            found[name] = values
    return found


def _translated(
    table: pl.DataFrame, carried: CarryOver, nodes: IntArray, path: str, name: str, probability: str
) -> dict[str, pl.Series]:
    """The columns with the path, the name and the probability of nodes."""
    found = {path: _paths(nodes, carried)}
    there = nodes != _NONE
    if path == LEAF_PATH:  # a leaf that was split or that has children now is none
        there &= carried.after.is_leaf[carried.place[nodes]] & carried.identified[nodes]
        found[path] = _blank(found[path], ~there)
    if name in table.columns:
        names = [str(text) or ROOT_NAME for text in carried.after.names]
        found[name] = _text([*names, None], np.where(there, carried.place[nodes], len(names)))
    column = probability or f"{name}_probability"
    if column in table.columns:
        found[column] = _blank(table[column], ~(there & carried.same_content[nodes]))
    return found


def _with_levels(
    columns: dict[str, pl.Series], carried: CarryOver, nodes: IntArray, before: list[str], after: list[str]
) -> dict[str, pl.Series]:
    """The columns with those of the old levels replaced by those of the new ones, in their place."""
    old, new = carried.before, carried.after
    names = [str(text) or ROOT_NAME for text in new.names]
    there = nodes != _NONE
    place = carried.place[nodes]
    levels: dict[str, pl.Series] = {}
    for level, name in enumerate(after, start=1):
        at = new.at_level(level)[place]
        exact = there & (new.level[at] == level)
        levels[name] = _text([*names, None], np.where(exact, at, len(names)))
        known = np.zeros(len(nodes), dtype=np.bool_)
        source = pl.Series([None] * len(nodes), dtype=pl.Float64)
        if name in before and f"{name}_probability" in columns:
            step = old.at_level(before.index(name) + 1)[nodes]
            known = exact & carried.same_content[step] & (carried.place[step] == at)
            source = columns[f"{name}_probability"]
        levels[f"{name}_probability"] = _blank(source, ~known)
    gone = {key for name in before for key in (name, f"{name}_probability")}
    found: dict[str, pl.Series] = {}
    for name, values in columns.items():
        if name == LEAF_PATH.removesuffix(_PATH) and levels:
            found |= levels
            levels = {}
        if name not in gone:
            found[name] = values
    return found | levels


def _blank(values: pl.Series, where: NDArray[np.bool_]) -> pl.Series:
    return pl.select(pl.when(pl.Series(~where)).then(values)).to_series().alias(values.name)
