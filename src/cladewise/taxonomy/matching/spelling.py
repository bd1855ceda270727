"""Evidence in similar spellings, for nodes that nothing else has matched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.matching import evidence
from cladewise.taxonomy.matching.evidence import SCHEMA
from cladewise.taxonomy.names.sameness import folded, loose
from cladewise.taxonomy.tree import Taxonomy

MOST_PAIRS = 400
"""Most pairs of children of two corresponding parents that are compared letter by letter."""
RARE = 6
"""Most nodes of a tree that share a key for their names to be compared."""
LEAST_LETTERS = 4
PREFIX = 5
"""Letters at the beginning of a name by which similar ones are found."""
_WORD = re.compile(r"[^\W_]+")


def similar_names(old: Taxonomy, new: Taxonomy, free: tuple[BoolArray, BoolArray], partner: IntArray) -> pl.DataFrame:
    """Evidence for pairs of nodes whose names are spelt alike, are alike but for the parent's, or share a rare word.

    Children of corresponding parents are compared if there are few. Other names are compared if a key says so: a rare
    word, the first letters, or the name without one letter. The number of pairs is linear in the number of nodes.

    Args:
        old: The old tree.
        new: The new tree.
        free: Nodes of each tree to compare.
        partner: New node that corresponds to each old node, -1 for none, ``[old node]``.
    """
    names = [_names(tree, np.flatnonzero(mask)) for tree, mask in zip((old, new), free, strict=True)]
    if not names[0].height or not names[1].height:
        return pl.DataFrame(schema=SCHEMA)
    words = _rare(*(_keyed(frame, "words", lambda words: words) for frame in names))
    keys = pl.concat(
        [
            words,
            _rare(*(_keyed(frame, "rest", lambda rest: [rest] * bool(rest)) for frame in names)),
            _rare(*(_keyed(frame, "rest", _beginning) for frame in names)),
            _rare(*(_keyed(frame, "whole", _without_a_letter) for frame in names)),
        ]
    )
    pairs = pl.concat([_siblings(old, new, names, partner), keys.select("old", "new")]).unique(maintain_order=True)
    return pl.concat([_spelt(pairs, names), _words_in_common(words)])


def _names(tree: Taxonomy, nodes: IntArray) -> pl.DataFrame:
    """Each node's name as a key, its rest without the words of the parent's name, and the longer words of the rest."""
    first = 1 if tree.synthetic_root else 0
    rows: list[tuple[int, str, str, list[str]]] = []
    for node in nodes[nodes >= first].tolist():
        words = _WORD.findall(folded(str(tree.names[node])))
        above = set(_WORD.findall(folded(str(tree.names[tree.parents[node]])))) if node else set[str]()
        own = [word for word in words if word not in above]
        rest = "".join(own) if len(own) < len(words) else ""
        rows.append((node, loose(str(tree.names[node])), rest, [word for word in own if len(word) >= LEAST_LETTERS]))
    kinds = {"node": pl.Int64, "whole": pl.String, "rest": pl.String, "words": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _spelt(pairs: pl.DataFrame, names: list[pl.DataFrame]) -> pl.DataFrame:
    """Evidence in the similarity of whole names, or of what is left without the words of the parents' names."""
    from rapidfuzz import fuzz, process

    both = pairs.join(names[0], left_on="old", right_on="node", maintain_order="left")
    both = both.join(names[1], left_on="new", right_on="node", suffix="_new", maintain_order="left")
    ratios = [
        process.cpdist(both[column].to_list(), both[f"{column}_new"].to_list(), scorer=fuzz.ratio) / 100
        for column in ("whole", "rest")
    ]
    has_rest = ((both["rest"] != "") & (both["rest_new"] != "")).to_numpy()
    rest = np.where(has_rest, ratios[1], 0.0)
    ratio = np.maximum(ratios[0], rest)
    scale = np.clip((ratio - evidence.LEAST_SIMILAR) / (1 - evidence.LEAST_SIMILAR), 0, 1)
    said = [
        f"name but for the parent's, '{word}'" if equal else f"spelling {value:.2f}"
        for equal, value, word in zip((rest == 1).tolist(), ratio.tolist(), both["rest"].to_list(), strict=True)
    ]
    weight = np.where(rest == 1, evidence.REST, evidence.SPELLING * scale)
    columns = {
        "old": both["old"],
        "new": both["new"],
        "kind": pl.repeat("spelling", both.height, dtype=pl.String, eager=True),
        "weight": pl.Series(weight, dtype=pl.Float64),
        "text": pl.Series(said, dtype=pl.String),
    }
    other_name = both["whole"] != both["whole_new"]  # the same name is evidence of its own
    return pl.DataFrame(columns, schema=SCHEMA).filter((pl.col("weight") > 0) & other_name)


def _words_in_common(words: pl.DataFrame) -> pl.DataFrame:
    """Evidence in the rarest word that each pair has in common."""
    best = words.sort("several", "old", "new", "key").unique(["old", "new"], keep="first", maintain_order=True)
    return best.select(
        "old",
        "new",
        kind=pl.lit("word"),
        weight=evidence.WORD / pl.col("several"),
        text=pl.format("word '{}'", "key"),
    ).cast(SCHEMA)


def _siblings(old: Taxonomy, new: Taxonomy, names: list[pl.DataFrame], partner: IntArray) -> pl.DataFrame:
    """Children of corresponding parents, if there are few."""
    nodes = [frame["node"].to_numpy() for frame in names]
    above = [tree.parents[each] for tree, each in zip((old, new), nodes, strict=True)]
    ours = pl.DataFrame({"old": nodes[0], "parent": np.where(above[0] < 0, -1, partner[above[0]])})
    theirs = pl.DataFrame({"new": nodes[1], "parent": above[1]})
    ours = ours.filter(pl.col("parent") >= 0)
    sizes = ours.group_by("parent").len("m").join(theirs.group_by("parent").len("n"), on="parent")
    few = sizes.filter(pl.col("m") * pl.col("n") <= MOST_PAIRS).select("parent")
    return ours.join(few, on="parent").join(theirs, on="parent").select("old", "new").sort("old", "new")


def _beginning(rest: str) -> list[str]:
    return [rest[:PREFIX]] if len(rest) >= PREFIX else []


def _without_a_letter(key: str) -> list[str]:
    """The key, whole and without each of its letters: two names with one in common differ in a letter or two."""
    return [key, *(key[:k] + key[k + 1 :] for k in range(len(key)))] if len(key) > LEAST_LETTERS else []


def _keyed(frame: pl.DataFrame, column: str, keys: Callable[..., Iterable[str]]) -> pl.DataFrame:
    """Columns ``node`` and ``key``: the keys that a function makes of the texts in a column."""
    rows = [(node, key) for node, text in frame.select("node", column).iter_rows() for key in dict.fromkeys(keys(text))]
    return pl.DataFrame(rows, schema={"node": pl.Int64, "key": pl.String}, orient="row")


def _rare(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of nodes that share a key which few nodes have, and the number of nodes of one tree that have it."""
    kept = [
        frame.with_columns(several=pl.len().over("key").cast(pl.Int64)).filter(pl.col("several") <= RARE)
        for frame in (ours, theirs)
    ]
    both = kept[0].join(kept[1], on="key", suffix="_new")
    several = pl.max_horizontal("several", "several_new")
    return both.select(old="node", new="node_new", key="key", several=several).sort("old", "new", "key")
