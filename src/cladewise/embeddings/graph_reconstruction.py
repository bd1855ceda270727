"""Reconstruction of the tree from an embedding: classify every ordered pair of labels as an edge or not."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import ops
from cladewise.embeddings.hypernym_edges import closure_edges
from cladewise.embeddings.label_geometry import Geometry
from cladewise.embeddings.thresholds import BestThreshold, EdgeScores
from cladewise.taxonomy import Taxonomy

BLOCK = 1 << 22


@torch.no_grad()
def reconstruction(
    taxonomy: Taxonomy, geometry: Geometry, vectors: Float[Tensor, "label dim"], *, block: int = BLOCK
) -> EdgeScores:
    """Scores of separating the edges of the closure from all other ordered pairs, at the threshold of best F1.

    Pairs are processed in blocks of rows and only counted between the energies of the edges, so memory is that of the
    edges and one block.

    Args:
        taxonomy: The label tree; its root is not a label.
        geometry: The geometry of the vectors.
        vectors: A vector for every node but the root.
        block: Number of pairs per block.

    Example:
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> scores = reconstruction(t, make("order"), torch.tensor([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]))
        >>> scores.f1, scores.num_edges, scores.num_others
        (1.0, 1, 5)

    References: Dhall et al., CVPR Workshops 2020, section 4.2.3: their TPR, TNR and full F1.
    """
    index, edges = ops.tree_index(taxonomy, vectors.device), closure_edges(taxonomy)
    general, special = (torch.tensor(nodes, device=vectors.device) for nodes in (edges.general, edges.special))
    energies = [
        geometry.energy(vectors[above - 1], vectors[below - 1])
        for above, below in zip(general.split(_edges(block)), special.split(_edges(block)), strict=True)
    ]
    best = BestThreshold(torch.cat(energies) if energies else vectors.new_zeros(0))
    nodes = torch.arange(1, taxonomy.num_nodes, device=vectors.device)
    for rows in nodes.split(max(1, block // max(1, len(nodes)))):
        energy = geometry.pairwise_energy(vectors[rows - 1], vectors)
        under = (nodes >= rows[:, None]) & (nodes < index.end[rows, None])
        if taxonomy.has_further_parents:
            _, (row, node) = ops.further_pairs(rows, taxonomy)
            under[row, node - 1] = True
        best.add(energy[~under])
    return best.scores()


def _edges(block: int) -> int:
    """Edges per block: gathering both vectors of an edge takes more memory than its energy."""
    return max(1, block // 32)
