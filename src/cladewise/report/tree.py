"""The label tree coloured by accuracy, as an icicle that zooms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.report.figure import Chart, Variant, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.run import FloatArray, IntArray, Run
from cladewise.taxonomy import Taxonomy

MOST_NODES = 20_000
LEVELS_AT_ONCE = 4
ACCURACY_SCALE = [[0.0, "#9e2a2b"], [0.35, "#e0803a"], [0.6, "#f2cf7e"], [0.8, "#9cc9a5"], [1.0, "#1d7a63"]]


@dataclasses.dataclass(frozen=True)
class NodeScores:
    """Of every node ``[node]``: test images labelled at or under it, the share of them that is placed at or under
    it too (NaN without images), and the node of its level that most others went to (-1 where none did)."""

    num_images: IntArray
    accuracy: FloatArray
    confused_with: IntArray
    num_confused: IntArray


def score_nodes(runs: Sequence[Run]) -> NodeScores:
    """Score every node over all runs; images are counted once.

    An image under ``v`` is placed under ``v`` exactly if the lowest common ancestor of its label and its answer is,
    so both counts are sums over subtrees.
    """
    taxonomy = runs[0].taxonomy
    target = np.concatenate([run.target for run in runs])
    predicted = np.concatenate([run.predicted for run in runs])
    lca = np.concatenate([run.lca for run in runs])
    total, right = subtree_counts(target, taxonomy), subtree_counts(lca, taxonomy)
    accuracy = np.divide(right, total, out=np.full(total.shape, np.nan), where=total > 0)
    confused_with, num_confused = most_confused(target, predicted, taxonomy)
    return NodeScores(total // len(runs), accuracy, confused_with, num_confused)


def subtree_counts(nodes: IntArray, taxonomy: Taxonomy) -> IntArray:
    """How many of the given nodes lie at or under every node of the tree.

    Example:
        >>> subtree_counts(np.array([2, 2, 1]), Taxonomy.from_paths([("a", "b"), ("c",)])).tolist()
        [3, 3, 2, 0]
    """
    running = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=taxonomy.num_nodes))])
    return running[taxonomy.end] - running[:-1]


def most_confused(target: IntArray, predicted: IntArray, taxonomy: Taxonomy) -> tuple[IntArray, IntArray]:
    """For every node, where the images under it that left it went most often, as nodes of its own level.

    Returns:
        The other node (-1 where no image left; the lowest of equals), and the number of images that went there.
    """
    num_nodes = taxonomy.num_nodes
    pairs: list[IntArray] = []
    for level in range(1, taxonomy.num_levels + 1):
        representative = taxonomy.at_level(level)
        true, other = representative[target], representative[predicted]
        left = (taxonomy.level[true] == level) & ~taxonomy.contains(true, other)
        pairs.append(true[left] * num_nodes + other[left])
    pair, count = np.unique(np.concatenate(pairs), return_counts=True)
    true, other = np.divmod(pair, num_nodes)
    order = np.lexsort((other, -count, true))
    node, first = np.unique(true[order], return_index=True)
    confused_with, num_confused = np.full(num_nodes, -1), np.zeros(num_nodes, dtype=np.int64)
    confused_with[node], num_confused[node] = other[order][first], count[order][first]
    return confused_with, num_confused


def shown_nodes(num_images: IntArray, taxonomy: Taxonomy, most: int = MOST_NODES) -> tuple[IntArray, int]:
    """Nodes that have images, down to the deepest depth at which they are not too many; and that depth."""
    has_images = num_images > 0
    by_depth = np.cumsum(np.bincount(taxonomy.depth[has_images], minlength=1))
    depth = max(1, int(np.searchsorted(by_depth, most, side="right")) - 1)
    return np.flatnonzero(has_images & (taxonomy.depth <= depth)), min(depth, taxonomy.max_depth)


@dataclasses.dataclass(frozen=True)
class TreeSection:
    """The chart, and what it leaves out, in words."""

    chart: Chart
    left_out: str


def tree_section(groups: Sequence[Group]) -> TreeSection:
    """One icicle whose colours and texts change with the group."""
    taxonomy = groups[0].runs[0].taxonomy
    scores = [score_nodes(group.runs) for group in groups]
    num_images = scores[0].num_images
    nodes, depth = shown_nodes(num_images, taxonomy)
    names = np.array([plain(name) for name in taxonomy.names[nodes].tolist()], dtype=object)
    if taxonomy.synthetic_root and nodes.size:
        names[0] = "all"
    variants = [
        Variant(
            group.label, {"marker": {"colors": 100 * score.accuracy[nodes]}, "customdata": _texts(score, nodes, group)}
        )
        for group, score in zip(groups, scores, strict=True)
    ]
    figure = blank_figure()
    figure.add_trace(
        go.Icicle(
            ids=nodes.astype(str),
            labels=names,
            parents=np.where(nodes == 0, "", taxonomy.parents[nodes].astype(str)),
            values=num_images[nodes],
            branchvalues="total",
            sort=False,
            maxdepth=LEVELS_AT_ONCE,
            tiling={"orientation": "h", "pad": 1},
            pathbar={"thickness": 26},
            customdata=variants[0].changes["customdata"],
            hovertemplate="<b>%{label}</b><br>%{value:,} images<br>%{color:.1f}% placed at or under it"
            "%{customdata}<extra></extra>",
            marker={
                "colors": variants[0].changes["marker"]["colors"],
                "colorscale": ACCURACY_SCALE,
                "cmin": 0,
                "cmax": 100,
                "showscale": True,
                "line": {"width": 0},
                "colorbar": {
                    "title": {"text": "accuracy, %", "side": "top"},
                    "orientation": "h",
                    "thickness": 10,
                    "y": -0.02,
                    "yanchor": "top",
                    "len": 0.6,
                },
            },
        )
    )
    summary = f"The label tree from left to right, {nodes.size} nodes coloured by accuracy."
    chart = Chart("tree", figure, 560, summary, variants if len(variants) > 1 else ())
    return TreeSection(chart, _left_out(num_images, nodes, depth, taxonomy))


def _texts(scores: NodeScores, nodes: IntArray, group: Group) -> list[str]:
    taxonomy = group.runs[0].taxonomy
    other, count = scores.confused_with[nodes], scores.num_confused[nodes]
    names = taxonomy.names[np.maximum(other, 0)].tolist()
    over = f" in {len(group.runs)} runs" if len(group.runs) > 1 else ""
    return [
        f"<br>most often taken for {plain(name) or 'the root'}: {number:,}{over}" if node >= 0 else ""
        for node, name, number in zip(other.tolist(), names, count.tolist(), strict=True)
    ]


def _left_out(num_images: IntArray, nodes: IntArray, depth: int, taxonomy: Taxonomy) -> str:
    texts: list[str] = []
    empty = int((num_images == 0).sum())
    if empty:
        texts.append(f"{empty:,} of {taxonomy.num_nodes:,} nodes have no image in this split and are left out.")
    deeper = int((num_images > 0).sum()) - nodes.size
    if deeper:
        texts.append(f"The tree is shown down to depth {depth}; {deeper:,} deeper nodes with images are left out.")
    return " ".join(texts)
