"""Reconstruction of the tree from an embedding: classify every ordered pair of labels as an edge or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.embeddings.hypernym_edges import HypernymEdges, basic_edges, closure_edges
from cladewise.embeddings.label_geometry import Geometry
from cladewise.embeddings.thresholds import BestThreshold, EdgeScores
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

BLOCK = 1 << 22

Edges = Literal["closure", "direct"]
"""Pairs that count as edges: those of a node with all its ancestors below the root, or with its parents only."""


@torch.no_grad()
def reconstruction(
    taxonomy: Taxonomy,
    geometry: Geometry,
    vectors: Float[Tensor, "label dim"],
    *,
    edges: Edges = "closure",
    block: int = BLOCK,
) -> EdgeScores:
    """Scores of separating the edges between labels from all other ordered pairs, at the threshold of best F1.

    With ``"closure"`` the edges are all pairs of a label and an ancestor. With ``"direct"`` they are those of a label
    and a parent, and all other pairs are not edges, also those of a label and a more distant ancestor. A perfect
    embedding nests its regions and therefore reaches an F1 of 1 for the closure, but not for the direct edges of a tree
    with more than two levels.

    Pairs are processed in blocks of rows and only counted between the energies of the edges, so memory is that of the
    edges and one block.

    Args:
        taxonomy: The label tree; its root is not a label.
        geometry: The geometry of the vectors.
        vectors: A vector for every node but the root.
        edges: ``"closure"`` or ``"direct"``.
        block: Number of pairs per block.

    Raises:
        InputError: There is no such choice of edges.

    Example:
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> scores = reconstruction(t, make("order"), torch.tensor([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]))
        >>> scores.f1, scores.num_edges, scores.num_others
        (1.0, 1, 5)

    References: Dhall et al., CVPR Workshops 2020, section 4.2.3: their TPR, TNR and full F1. Their code counts direct
        edges; the published figures agree with one another only if they are those of the closure.
    """
    if edges not in get_args(Edges):
        raise InputError(f"edges among {', '.join(get_args(Edges))}", repr(edges))
    wanted = _EDGES[edges](taxonomy)
    general, special = (torch.tensor(nodes, device=vectors.device) for nodes in (wanted.general, wanted.special))
    energies = [
        geometry.energy(vectors[above - 1], vectors[below - 1])
        for above, below in zip(general.split(_edges_at_once(block)), special.split(_edges_at_once(block)), strict=True)
    ]
    best = BestThreshold(torch.cat(energies) if energies else vectors.new_zeros(0))
    nodes = torch.arange(1, taxonomy.num_nodes, device=vectors.device)
    general, order = general.sort(stable=True)  # so that the edges of a block of rows are a range
    special = special[order]
    at_once = max(1, block // max(1, len(nodes)))
    for start in range(1, taxonomy.num_nodes, at_once):
        rows = nodes[start - 1 : start - 1 + at_once]
        energy = geometry.pairwise_energy(vectors[rows - 1], vectors)
        linked = nodes == rows[:, None]
        first, end = torch.searchsorted(general, torch.tensor([start, start + len(rows)], device=rows.device)).tolist()
        linked[general[first:end] - start, special[first:end] - 1] = True
        best.add(energy[~linked])
    return best.scores()


_EDGES: dict[str, Callable[[Taxonomy], HypernymEdges]] = {"closure": closure_edges, "direct": basic_edges}


def _edges_at_once(block: int) -> int:
    """Edges per block: gathering both vectors of an edge takes more memory than its energy."""
    return max(1, block // 32)
