"""The label tree coloured by accuracy, as an icicle that zooms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.report.charts import Chart, Variant, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.node_scores import NodeScores, score_nodes
from cladewise.report.run import IntArray
from cladewise.taxonomy import Taxonomy

MOST_NODES = 20_000
"""In the page; deeper ones are left out."""

MOST_AT_ONCE = 600
DEPTHS_AT_ONCE = 4
"""Before zooming in: what is drawn swiftly, and what a narrow screen can hold."""

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


def deepest_within(num_images: IntArray, taxonomy: Taxonomy, most: int) -> int:
    """The deepest depth, at least 1, down to which no more than so many nodes have images."""
    up_to_depth = np.cumsum(np.bincount(taxonomy.depth[num_images > 0], minlength=1))
    deepest = int(np.searchsorted(up_to_depth, most, side="right")) - 1
    return min(max(1, deepest), taxonomy.max_depth)


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
    depth = deepest_within(num_images, taxonomy, MOST_NODES)
    nodes = np.flatnonzero((num_images > 0) & (taxonomy.depth <= depth))
    names = np.array([plain(name) for name in taxonomy.names[nodes].tolist()], dtype=object)
    if taxonomy.synthetic_root and nodes.size:
        names[0] = "all"
    variants = [
        Variant(group.label, _view(score, nodes, taxonomy)) for group, score in zip(groups, scores, strict=True)
    ]
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
            hovertemplate="<b>%{label}</b><br>%{value:,} images<br>%{color:.1f}% placed at or under it"
            "<br>most often taken for: %{customdata}<extra></extra>",
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
    figure.update_traces(variants[0].trace)
    summary = f"The label tree from left to right, {nodes.size} nodes coloured by accuracy."
    chart = Chart("tree", figure, 560, summary, variants if len(variants) > 1 else ())
    return TreeSection(chart, _left_out(num_images, nodes, depth, taxonomy))


def _view(scores: NodeScores, nodes: IntArray, taxonomy: Taxonomy) -> go.Icicle:
    """What differs between the groups."""
    return go.Icicle(marker={"colors": 100 * scores.accuracy[nodes]}, customdata=_confusions(scores, nodes, taxonomy))


def _confusions(scores: NodeScores, nodes: IntArray, taxonomy: Taxonomy) -> list[str]:
    other, share = scores.confused_with[nodes], scores.confused[nodes]
    names = taxonomy.names[np.maximum(other, 0)].tolist()
    return [
        f"{plain(name) or 'the root'} ({100 * part:.1f}%)" if node >= 0 else "–"
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
