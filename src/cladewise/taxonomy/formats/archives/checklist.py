"""From the tables of a checklist to its tree.

A checklist may have dozens of columns for millions of taxa, so only those are read that give a taxon its place, name,
rank and status. The option ``columns`` adds others; columns ``name:<language>`` in it limit the vernacular names to
these languages. The option ``levels`` keeps the taxa of some ranks only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import StrArray
from cladewise.taxonomy.checks.problems import placed_at, some
from cladewise.taxonomy.formats.archives.vernacular import VernacularTable, with_vernacular_names
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.tabular import tree_of
from cladewise.taxonomy.formats.taxa.darwin_core import interpret_taxa
from cladewise.taxonomy.formats.taxa.darwin_terms import AUTHORSHIPS, NAMES, PARENTS, essential, find_terms, plain_term
from cladewise.taxonomy.formats.taxa.ranks import POSITION, coarse_to_fine, rank_named
from cladewise.taxonomy.formats.taxa.synonyms import whole_names
from cladewise.taxonomy.names.columns import VERNACULAR
from cladewise.taxonomy.tree import Taxonomy

NAME = "canonicalName"
"""Column of the names without authors."""
RANK = "taxonRank"
UNORDERED = ("rank", "warning")
"""Kind and severity of the problem that ranks are not in one order from coarse to fine."""

Loader = Callable[[list[str]], Table]


def checklist_table(columns: Sequence[str], load: Loader, options: ReadOptions) -> Table:
    """The columns of a table of taxa that a tree needs, and those asked for.

    Columns of ranks are only loaded if no row has a parent. Otherwise names are kept without their authors.

    Args:
        columns: All columns of the table.
        load: Reads some of them.
        options: The columns to keep in addition.

    Raises:
        InputError: There is no such column.
    """
    kept = [_column(name, columns) for name in options.columns if not name.startswith(VERNACULAR)]
    parents = [name for name in columns if plain_term(name) in PARENTS]
    if parents:
        table = load(list(dict.fromkeys([*essential(columns, ranks=False), *kept])))
        if any((table.frame[name].str.strip_chars() != "").any() for name in parents):
            return _with_short_names(table, kept)
    return load(list(dict.fromkeys([*essential(columns, ranks=True), *kept])))


def tree_of_checklist(table: Table, names: Sequence[VernacularTable], options: ReadOptions) -> Taxonomy:
    """The tree of a table of taxa, with the vernacular names of its taxa.

    Raises:
        InputError: The taxa are no tree.
    """
    table.fail(table.problems)
    source, interpretation = table.source, interpret_taxa(table, options)
    if options.levels:  # ranks that do not order all taxa may order those that are kept
        problems = [problem for problem in interpretation.problems if (problem.kind, problem.severity) != UNORDERED]
        interpretation = dataclasses.replace(interpretation, problems=problems)
    table = dataclasses.replace(table, frame=table.frame.clear())  # the interpretation has what it needs
    tree = with_vernacular_names(tree_of(table, interpretation), names, options)
    return only_ranks(tree, [rank_named(rank) for rank in options.levels], source) if options.levels else tree


def only_ranks(tree: Taxonomy, ranks: Sequence[str], source: str) -> Taxonomy:
    """The taxa of some ranks, each below its nearest ancestor that is kept; the ranks are the levels.

    Checklists have taxa of many ranks and of none, which lie at different depths in different branches. The root stays,
    whatever its rank.

    Raises:
        InputError: No taxon has one of the ranks, a rank is not finer than the one before, or a node has several
            parents.

    Example:
        >>> ranks = ["family", "subfamily", "genus"]
        >>> tree = Taxonomy([-1, 0, 1, 2], ["", "Felidae", "Felinae", "Puma"], level_names=ranks)
        >>> kept = only_ranks(tree, ["family", "genus"], "the checklist")
        >>> kept.path_name(2), kept.level_names
        ('Felidae/Puma', ('family', 'genus'))
    """
    if tree.has_further_parents:
        got = f"{len(tree.further_parents):,} further parents"
        advice = 'Pass parents="first", or leave levels out.'
        raise InputError("one parent for each node where levels are chosen", got, at=source, advice=advice)
    own = _ranks(tree)
    known = coarse_to_fine(rank for rank in dict.fromkeys(own.tolist()) if rank)
    coarsest = 0 if tree.synthetic_root else min((POSITION.get(rank, 0) for rank in known), default=0)
    ranks = [rank for rank in ranks if rank in known or POSITION.get(rank, coarsest) >= coarsest]  # or the root's
    missing = [rank for rank in ranks if rank not in known]
    if missing:
        raise InputError(f"taxa of the rank {missing[0]!r}", f"the ranks {some(known, 40)}", at=source)
    number = {rank: position for position, rank in enumerate(ranks, start=1)}
    level = pl.Series(own.tolist(), dtype=pl.String).replace_strict(number, default=0, return_dtype=pl.Int64).to_numpy()
    level = np.where(tree.parents < 0, 0, level)
    kept = (level > 0) | (tree.parents < 0)
    nearest = np.arange(tree.num_nodes)
    for nodes in tree.nodes_by_depth[1:]:
        nearest[nodes] = np.where(kept[nodes], nodes, nearest[tree.parents[nodes]])
    position = np.cumsum(kept) - 1
    above = np.where(tree.parents < 0, -1, position[nearest[np.maximum(tree.parents, 0)]])[kept]
    edges = tree.further_parents[kept[tree.further_parents[:, 0]]]
    further = position[np.stack([edges[:, 0], nearest[edges[:, 1]]], axis=1)]
    with placed_at(source):
        return Taxonomy(
            above,
            tree.names[kept],
            level=level[kept],
            level_names=list(ranks),
            columns={name: texts[kept] for name, texts in tree.columns.items() if name != RANK},
            synthetic_root=tree.synthetic_root,
            further_parents=further,
        )


def _ranks(tree: Taxonomy) -> StrArray:
    """Rank of every node, as a column if ranks are not the levels."""
    if RANK not in tree.columns:
        return np.array(["", *tree.level_names], dtype=np.dtypes.StringDType())[tree.level]
    written = tree.columns[RANK].tolist()
    named = {text: rank_named(text) for text in set(written)}
    return np.array([named[text] for text in written], dtype=np.dtypes.StringDType())


def _column(name: str, columns: Sequence[str]) -> str:
    found = next((known for known in columns if known == name or plain_term(known) == plain_term(name)), None)
    if found is None:
        raise InputError("columns of the checklist", repr(name), advice=f"It has {some(list(columns), 40)}.")
    return found


def _with_short_names(table: Table, kept: Sequence[str]) -> Table:
    """The table with one column of names, and without those that it was made from, unless they are kept."""
    names = whole_names(table.frame, find_terms(table))
    made_of = [name for name in table.columns if plain_term(name) in (*NAMES, *AUTHORSHIPS) and name not in kept]
    return dataclasses.replace(table, frame=table.frame.drop(made_of).with_columns(names.alias(NAME)))
