"""Hypothesis strategies: ragged trees of every degenerate kind, and nodes of them."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from cladewise.taxonomy import Taxonomy

HOSTILE = ["a", "A", "b", "no", "null", "~", "1", "1.0", "é", "e\u0301", "two words", " edges ", "it's", '"', "a,b"]
HOSTILE += [
    "a\tb",
    "a\nb",
    "a\r\nb",
    "(a)",
    "[b]",
    "a:1;",
    "a_b",
    "#",
    "- a",
    "{",
    "children",
    "name",
    "root",
    "../up",
    "🦊",
]
PLAIN = ["apple", "Birne", "kale", "fig", "a b", "x.y", "Ω", "🦊", "it's"]


@st.composite
def taxonomies(draw: st.DrawFn, max_nodes: int = 24, min_nodes: int = 1) -> Taxonomy:
    """Random trees: stars, chains, single-child chains within, ragged depths, one node, synthetic roots."""
    num_nodes = draw(st.integers(min_nodes, max_nodes))
    shape = draw(st.sampled_from(["any", "any", "any", "chain", "star", "deep"]))
    parents = [-1]
    for node in range(1, num_nodes):
        low, high = {
            "any": (0, node - 1),
            "chain": (node - 1, node - 1),
            "star": (0, 0),
            "deep": (max(0, node - 3), node - 1),
        }[shape]
        parents.append(draw(st.integers(low, high)))
    names = [f"n{i}" for i in range(num_nodes)]
    return Taxonomy.from_parents(parents, names, synthetic_root=num_nodes > 1 and draw(st.booleans()))


@st.composite
def graph_taxonomies(draw: st.DrawFn, max_nodes: int = 14, max_edges: int = 8) -> Taxonomy:
    """Trees with further parents: edges from any node to any that is not below it, in the graph drawn so far."""
    tree = draw(taxonomies(max_nodes))
    above = {v: {int(tree.parents[v])} - {-1} for v in range(tree.num_nodes)}

    def reaches(start: int, goal: int) -> bool:
        return start == goal or any(reaches(parent, goal) for parent in above[start])

    node = st.integers(0, tree.num_nodes - 1)
    edges = list[tuple[int, int]]()
    for child, parent in draw(st.lists(st.tuples(node, node), max_size=max_edges)):
        if not reaches(parent, child):
            above[child].add(parent)
            edges.append((child, parent))
    return Taxonomy(tree.parents, tree.names, synthetic_root=tree.synthetic_root, further_parents=edges)


@st.composite
def taxonomies_with_nodes(draw: st.DrawFn, max_nodes: int = 24, max_batch: int = 5) -> tuple[Taxonomy, list[int]]:
    """A tree, and a batch of any of its nodes: leaves, internal nodes and the root."""
    taxonomy = draw(taxonomies(max_nodes))
    nodes = draw(st.lists(st.integers(0, taxonomy.num_nodes - 1), min_size=1, max_size=max_batch))
    return taxonomy, nodes


def names(pool: list[str]) -> st.SearchStrategy[str]:
    arbitrary = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=6)
    return st.one_of(st.sampled_from(pool), arbitrary) if pool is HOSTILE else st.sampled_from(pool)


@st.composite
def label_trees(
    draw: st.DrawFn,
    *,
    pool: list[str] = HOSTILE,
    holes: bool = True,
    columns: bool = False,
    apart: bool = False,
    synthetic: bool | None = None,
    level_names: list[str] | None = None,
) -> Taxonomy:
    """A tree of 2 to 15 nodes. ``apart``: children of one node have different names."""
    size = draw(st.integers(2, 15))
    parents, level = [-1], [0]
    texts = [draw(names(pool))]
    taken: set[tuple[int, str]] = set()
    for _ in range(1, size):
        parent = draw(st.integers(max(0, len(parents) - draw(st.integers(1, 15))), len(parents) - 1))
        name = draw(names(pool))
        if apart and (parent, name) in taken:
            continue
        if level_names is not None and level[parent] == len(level_names):
            continue
        taken.add((parent, name))
        step = draw(st.sampled_from([1, 1, 2, 3])) if holes else 1
        limit = len(level_names) if level_names is not None else 10**6
        parents.append(parent)
        texts.append(name)
        level.append(min(limit, level[parent] + step))
    assume(len(parents) > 1)
    chosen = level_names
    if chosen is None and holes:
        extra = max(level) + draw(st.integers(0, 1))
        prefix = draw(st.sampled_from(["level_", "rank ", "Ebene é"]))
        chosen = [f"{prefix}{k}" for k in range(1, extra + 1)]
    kept = None
    if columns:
        text = st.sampled_from(["", "x", "a,b", "2", "é"])
        kept = {key: [draw(text) for _ in parents] for key in ("note", "second note")}
        if draw(st.booleans()):
            kept["id"] = [f"id{k}" for k in range(len(parents))]
    real = not (draw(st.booleans()) if synthetic is None else synthetic)
    return Taxonomy.from_parents(parents, texts, level=level, level_names=chosen, columns=kept, synthetic_root=not real)
