"""How well the label vectors of a run hold its tree, as metrics of an evaluation."""

from __future__ import annotations

import math

from torch import Tensor

from cladewise.embeddings import LabelSpace, reconstruction
from cladewise.embeddings.graph_reconstruction import Edges
from cladewise.engine.network import read_weight
from cladewise.engine.run import Run
from cladewise.records import Tree
from cladewise.statistics import Interval

PREFIXES: dict[str, Edges] = {"reconstruction": "closure", "direct": "direct"}
"""First part of the metrics' names, and which pairs of labels count as edges."""


def label_space(run: Run, tree: Tree) -> LabelSpace | None:
    """The label vectors of a run over one of its trees, read from the file of weights without building the network.

    ``None`` if its method learns none, or if they are those of another tree: that of an ablation or of a migration.
    """
    if not run.has_network or run.carried is not None or (tree == "true" and not run.alteration.is_none):
        return None

    def weight(name: str) -> Tensor:
        return read_weight(run.folder.model, f"head.{name}")

    return run.method.label_space(run.own_taxonomy, weight)


def reconstruction_metrics(run: Run, tree: Tree = "true") -> dict[str, Interval]:
    """TPR, TNR and F1 of the edges between labels, all of the closure and the direct ones; none without label vectors.

    They depend on the weights alone, so they have no interval over images. An image count of 0 stands for that.

    Args:
        run: The run.
        tree: The tree that is scored.
    """
    space = label_space(run, tree)
    found: dict[str, Interval] = {}
    if space is None:
        return found
    for prefix, edges in PREFIXES.items():
        scores = reconstruction(space.taxonomy, space.geometry, space.vectors, edges=edges)
        if scores.num_edges:
            rates = {"tpr": scores.recall, "tnr": scores.tnr, "f1": scores.f1}
            found |= {f"{prefix}_{name}": Interval(rate, math.nan, math.nan, 0) for name, rate in rates.items()}
    return found
