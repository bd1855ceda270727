"""Section *Accuracy in the tree*: the label tree as an icicle chart coloured by accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import plotly.graph_objects as go

from cladewise.report.charts import Chart, ChartView, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import FloatArray, ReportedRun
from cladewise.report.runs.status import IntArray
from cladewise.report.sections.section import Section
from cladewise.taxonomy import Taxonomy

MOST_NODES = 20_000
"""Most nodes in the chart; deeper ones are left out."""
MOST_AT_ONCE = 600

DEPTHS_AT_ONCE = 4
"""Most nodes and depths shown before zooming in, so that drawing is fast and fits a narrow screen."""
ACCURACY_SCALE = [[0.0, "#9e2a2b"], [0.35, "#e0803a"], [0.6, "#f2cf7e"], [0.8, "#a9d3b2"], [1.0, "#1d7a63"]]
COLOR_BAR = {
    "title": {"text": "accuracy, %", "side": "top", "font": {"size": 13}},
    "orientation": "h",
    "thickness": 10,
    "len": 0.6,
    "outlinewidth": 0,
    "y": -0.02,
    "yanchor": "top",
}


@dataclasses.dataclass(frozen=True)
class NodeScores:
    """Scores of every node ``[node]``; shares are NaN for nodes without images.

    Args:
        num_images: Images labelled at or below the node.
        accuracy: Share of these images whose answers are at or below the node too.
        confused_with: Node of the same level that most of the other answers belong to, -1 if there are none.
        confused: Share of images with that answer.
    """

    num_images: IntArray
    accuracy: FloatArray
    confused_with: IntArray
    confused: FloatArray


@dataclasses.dataclass(frozen=True)
class NodeSection(Section):
    """The chart, and a sentence on what it leaves out."""

    template: ClassVar[str] = "by_node.html"
    chart: Chart
    left_out: str

    @property
    def charts(self) -> Sequence[Chart]:
        return (self.chart,)


def node_sections(comparison: Comparison) -> Iterator[NodeSection]:
    """The section, if any group answers with nodes of the tree."""
    if comparison.placing:
        yield node_section(comparison.placing)


def node_section(groups: Sequence[Group]) -> NodeSection:
    """An icicle chart whose colours and texts change with the group."""
    taxonomy = groups[0].runs[0].taxonomy
    scores = [score_nodes(group.runs) for group in groups]
    num_images = scores[0].num_images
    depth = deepest_within(num_images, taxonomy, MOST_NODES)
    nodes = np.flatnonzero((num_images > 0) & (taxonomy.depth <= depth))
    names = np.array([chart_text(name) for name in taxonomy.names[nodes].tolist()], dtype=object)
    if taxonomy.synthetic_root and nodes.size:
        names[0] = "all"
    views = [ChartView(group.label, _view(score, nodes, taxonomy)) for group, score in zip(groups, scores, strict=True)]
    figure = blank_figure(margin={"l": 4, "r": 4, "t": 30, "b": 8})
    figure.add_trace(
        go.Icicle(
            ids=nodes.astype(str),
            labels=names,
            parents=np.where(nodes == 0, "", taxonomy.parents[nodes].astype(str)),
            values=num_images[nodes],
            branchvalues="total",
            sort=False,
            maxdepth=min(DEPTHS_AT_ONCE, deepest_within(num_images, taxonomy, MOST_AT_ONCE) + 1),
            tiling={"orientation": "h", "pad": 1},
            pathbar={"thickness": 24},
            hovertemplate="<b>%{label}</b><br>%{value:,} images<br>%{color:.1f}% answered at or below it"
            "<br>most often mistaken for: %{customdata}<extra></extra>",
            marker={
                "colorscale": ACCURACY_SCALE,
                "cmin": 0,
                "cmax": 100,
                "showscale": True,
                "line": {"width": 0},
                "colorbar": COLOR_BAR,
            },
        )
    )
    figure.update_traces(views[0].trace)
    summary = f"The label tree from left to right, {nodes.size} nodes coloured by accuracy."
    chart = Chart("tree", figure, 560, summary, views if len(views) > 1 else ())
    return NodeSection(chart, _left_out(num_images, nodes, depth, taxonomy))


def deepest_within(num_images: IntArray, taxonomy: Taxonomy, most: int) -> int:
    """The greatest depth, at least 1, down to which at most ``most`` nodes have images."""
    up_to_depth = np.cumsum(np.bincount(taxonomy.depth[num_images > 0], minlength=1))
    deepest = int(np.searchsorted(up_to_depth, most, side="right")) - 1
    return min(max(1, deepest), taxonomy.max_depth)


def _view(scores: NodeScores, nodes: IntArray, taxonomy: Taxonomy) -> go.Icicle:
    """The properties of the chart that differ between groups."""
    return go.Icicle(marker={"colors": 100 * scores.accuracy[nodes]}, customdata=_confusions(scores, nodes, taxonomy))


def _confusions(scores: NodeScores, nodes: IntArray, taxonomy: Taxonomy) -> list[str]:
    other, share = scores.confused_with[nodes], scores.confused[nodes]
    names = taxonomy.names[np.maximum(other, 0)].tolist()
    return [
        f"{chart_text(name) or 'the root'} ({100 * part:.1f}%)" if node >= 0 else "–"
        for node, name, part in zip(other.tolist(), names, share.tolist(), strict=True)
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


def score_nodes(runs: Sequence[ReportedRun]) -> NodeScores:
    """Score every node over all runs, without a loop over images or nodes; images are counted once.

    The answer to an image labelled below a node ``v`` is below ``v`` too exactly if the lowest common ancestor of
    label and answer is, so both counts are sums over subtrees. Where nodes have several parents, an image counts at its
    label's place in the primary tree, and an answer below ``v`` through any parents is right there.
    """
    taxonomy = runs[0].taxonomy
    target = np.concatenate([run.target for run in runs])
    predicted = np.concatenate([run.predicted for run in runs])
    total, right = subtree_counts(target, taxonomy), subtree_counts(taxonomy.lca(target, predicted), taxonomy)
    for image, above in taxonomy.further_ancestors.common(target, predicted):
        right += np.bincount(above[taxonomy.contains(above, target[image])], minlength=taxonomy.num_nodes)
    confused_with, num_confused = most_confused(target, predicted, taxonomy)
    return NodeScores(total // len(runs), _share(right, total), confused_with, _share(num_confused, total))


def _share(part: IntArray, total: IntArray) -> FloatArray:
    return np.divide(part, total, out=np.full(total.shape, np.nan), where=total > 0)


def subtree_counts(nodes: IntArray, taxonomy: Taxonomy) -> IntArray:
    """For every node of the tree, how many of the given nodes are at or below it.

    Example:
        >>> subtree_counts(np.array([2, 2, 1]), Taxonomy.from_paths([("a", "b"), ("c",)])).tolist()
        [3, 3, 2, 0]
    """
    running = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=taxonomy.num_nodes))])
    return running[taxonomy.end] - running[:-1]


def most_confused(target: IntArray, predicted: IntArray, taxonomy: Taxonomy) -> tuple[IntArray, IntArray]:
    """For every node, the node of its own level that images labelled below it were most often mistaken for.

    Returns:
        The other node (-1 if there are no such images; the lowest index of ties), and the number of these images.
    """
    num_nodes = taxonomy.num_nodes
    pairs: list[IntArray] = []
    for level in range(1, taxonomy.num_levels + 1):
        representative = taxonomy.at_level(level)
        true, other = representative[target], representative[predicted]
        left = (taxonomy.level[true] == level) & ~taxonomy.covers(true, other)
        pairs.append(true[left] * num_nodes + other[left])
    pair, count = np.unique(np.concatenate(pairs), return_counts=True)
    true, other = np.divmod(pair, num_nodes)
    order = np.lexsort((other, -count, true))
    node, first = np.unique(true[order], return_index=True)
    confused_with, num_confused = np.full(num_nodes, -1), np.zeros(num_nodes, dtype=np.int64)
    confused_with[node], num_confused[node] = other[order][first], count[order][first]
    return confused_with, num_confused
