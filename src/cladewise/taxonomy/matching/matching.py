"""Proposal of how the nodes of two versions of a tree correspond."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection

import numpy as np
import polars as pl

from cladewise.errors import InputError, warn
from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.correspondence import Correspondence
from cladewise.taxonomy.matching import evidence
from cladewise.taxonomy.matching.choosing import Chosen, choose, mutual_best
from cladewise.taxonomy.matching.direct import direct_evidence, same_paths
from cladewise.taxonomy.matching.evidence import Evidence, Ignorable
from cladewise.taxonomy.matching.scoring import KINDS, FloatArray, Scored, Scorer
from cladewise.taxonomy.matching.spelling import similar_names
from cladewise.taxonomy.tree import Taxonomy

ROUNDS = 3
"""Times that places are judged by the pairs found before, each time anew."""


def match(old: Taxonomy, new: Taxonomy, *, without: Collection[Ignorable] = ()) -> Correspondence:
    """Propose how the nodes of two versions of a tree correspond, with evidence and a certainty for each pair.

    Pairs of nodes are found by ids and former ids, names, synonyms, names in languages, texts of further columns and
    spelling, and by their places: parents that correspond, and shares of leaves that do. A node without a counterpart
    of its own is merged into, or split from, another if a tree says so (by a synonym or a former id) or if its leaves
    do. Where ids and names, or names and leaves, point to different nodes, all of them are rows for a person to decide,
    and so are rows of a certainty below 0.75; less certain pairs than 0.5 are not proposed. See the documentation for
    the weight of each kind of evidence.

    Ids are used only if they agree with the names in most cases, since numbers are often given anew.

    Args:
        old: The old tree.
        new: The new tree.
        without: Kinds of evidence to ignore: ``ids``, ``names``, ``synonyms``, ``languages``, ``texts`` (further
            columns), ``spelling``.

    Raises:
        InputError: There is no such kind of evidence.

    Example:
        >>> old = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "tomato"), ("fruit", "granny smith")])
        >>> new = Taxonomy.from_paths([("fruit", "apple"), ("vegetable", "tomato"), ("fruit", "Granny-Smith")])
        >>> found = match(old, new)
        >>> for row, certainty, ask in zip(found.rows(), found.certainty, found.ask):
        ...     print(*row, f"{certainty:.2f}", "ask" if ask else "sure", sep=" | ")
        fruit | fruit | same | 1.00 | sure
        fruit/apple | fruit/apple | same | 1.00 | sure
        fruit/tomato | vegetable/tomato | moved | 0.70 | ask
        fruit/granny smith | fruit/Granny-Smith | renamed | 0.94 | sure
         | vegetable | added | 1.00 | sure
    """
    known = typing.get_args(Ignorable)
    if unknown := [kind for kind in without if kind not in known]:
        raise InputError(f"kinds of evidence among {', '.join(known)}", repr(unknown[0]))
    found = direct_evidence(old, new, without)
    if found.note:
        warn(found.note, advice="Names, synonyms and places decide.")
    by_name = "names" not in without
    paths = same_paths(old, new) if by_name else pl.DataFrame(schema={"old": pl.Int64, "new": pl.Int64})
    scorer = Scorer(old, new, found, paths, by_name)
    partner = _partner(old, paths["old"].to_numpy(), paths["new"].to_numpy())
    scored = scorer.scored(partner)
    for turn in range(ROUNDS):
        pairs = mutual_best(scored)
        partner = _partner(old, scored.old[pairs], scored.new[pairs])
        if turn == ROUNDS - 2 and "spelling" not in without:
            settled = pairs[scored.certainty[pairs] >= evidence.SETTLED]
            free = [
                np.isin(np.arange(tree.num_nodes), nodes[settled], invert=True)
                for tree, nodes in ((old, scored.old), (new, scored.new))
            ]
            _leave_out_namesakes(found, free)
            more = similar_names(old, new, (free[0], free[1]), partner)
            scorer = dataclasses.replace(scorer, evidence=found.plus(more))
        scored = scorer.scored(partner)
    return _correspondence(scorer, scored, choose(old, new, scored))


def _leave_out_namesakes(found: Evidence, free: list[BoolArray]) -> None:
    """A node whose name a single node has that is free as well is not compared with other names."""
    named = found.frame.filter((pl.col("kind") == "name") & (pl.col("weight") >= evidence.NAME_LOOSE))
    u, v = named["old"].to_numpy(), named["new"].to_numpy()
    both = free[0][u] & free[1][v]
    free[0][u[both]] = False
    free[1][v[both]] = False


def _partner(old: Taxonomy, old_nodes: IntArray, new_nodes: IntArray) -> IntArray:
    """Counterpart of each old node; the roots are each other's unless one is paired otherwise."""
    partner = np.full(old.num_nodes, -1)
    if not (new_nodes == 0).any():
        partner[0] = 0
    partner[old_nodes] = new_nodes
    return partner


def _correspondence(scorer: Scorer, scored: Scored, chosen: Chosen) -> Correspondence:
    rows = scored.where(chosen.rows)
    found = Correspondence.from_pairs(
        scorer.old,
        scorer.new,
        np.stack([rows.old, rows.new], axis=1),
        certainty=_hundredths(chosen.certainty),
        evidence=_texts(scorer, rows, chosen),
        ask=chosen.ask,
    )
    certainty = found.certainty.copy()
    both = (found.num_counterparts[scored.old] == 0) & (found.num_origins[scored.new] == 0)
    for tree, nodes, others, ends in (
        (scorer.old, found.old_nodes, found.new_nodes, scored.old),
        (scorer.new, found.new_nodes, found.old_nodes, scored.new),
    ):
        best = np.zeros(tree.num_nodes)
        np.maximum.at(best, ends[both], scored.certainty[both])
        certainty[others < 0] = 1 - best[nodes[others < 0]]
    return dataclasses.replace(found, certainty=_hundredths(certainty))


def _hundredths(certainty: FloatArray) -> FloatArray:
    """Certainties rounded down to two digits, so that 1 is exact."""
    return np.floor(np.clip(certainty, 0, 1) * 100 + 1e-9) / 100


def _texts(scorer: Scorer, rows: Scored, chosen: Chosen) -> list[str]:
    """The evidence of each row, for people."""
    frame = scorer.evidence.frame
    wanted = pl.DataFrame({"old": rows.old, "new": rows.new, "row": np.arange(rows.old.size)})
    said = (
        wanted.join(frame, on=["old", "new"])
        .with_columns(family=pl.col("kind").replace(evidence.FAMILY))
        .sort("row", -pl.col("weight"), "kind", "text")
        .unique(["row", "family"], keep="first", maintain_order=True)
        .group_by("row")
        .agg(pl.col("text").str.join("; "))
    )
    texts = dict(zip(said["row"].to_list(), said["text"].to_list(), strict=True))
    ids = scorer.id_codes[0][rows.old], scorer.id_codes[1][rows.new]
    other_id = (ids[0] >= 0) & (ids[1] >= 0) & (ids[0] != ids[1]) & ((rows.bits & KINDS["former id"]) == 0)
    most = np.where(chosen.leaves, rows.of_old, np.maximum(rows.of_old, rows.of_new))
    found: list[str] = []
    for row in range(rows.old.size):
        parts = [texts[row]] if row in texts else []
        parts += ["same parent"] if rows.same_parent[row] else []
        parts += [f"{rows.shared[row]} of {most[row]} leaves"] if rows.shared[row] else []
        parts += ["another id"] if other_id[row] else []
        found.append("; ".join(parts))
    return found
