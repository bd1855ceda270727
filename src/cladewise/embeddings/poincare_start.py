"""Poincaré embeddings, as initial vectors for hyperbolic cones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cladewise import geometry, ops
from cladewise.embeddings.hypernym_edges import HypernymEdges
from cladewise.embeddings.optimisers import RiemannianSGD
from cladewise.progress import track
from cladewise.taxonomy import Taxonomy

EPOCHS, BURN_IN = 100, 20
LEARNING_RATE, BURN_IN_SHARE = 0.03, 0.1
BATCH, NUM_OTHERS = 10, 10
POWER = 0.75
SHRINKING = 0.7
MARGIN = 1e-5


def poincare_vectors(
    taxonomy: Taxonomy,
    edges: HypernymEdges,
    dim: int,
    generator: torch.Generator,
    *,
    epochs: int = EPOCHS,
    progress: bool = True,
) -> Tensor:
    r"""Vectors in the unit ball such that descendants are nearer to their ancestors than to other labels.

    .. math:: \ell = \sum_{(u, v)} d(u, v) + \log \sum_{u' \in N(v) \cup \{u\}} e^{-d(u', v)}

    Riemannian SGD with learning rate 0.03, a tenth of that in the first 20 epochs. Ten negatives per edge are drawn in
    proportion to the number of labels at or under them to the power 0.75, excluding ancestors of v. Finally, norms are
    scaled by 0.7, where cones are still wide.

    Args:
        taxonomy: The label tree.
        edges: Edges to train on.
        dim: Dimension of the vectors.
        generator: A CPU generator.
        epochs: Passes over the edges.
        progress: Show a progress bar.

    Returns:
        A vector for every node but the root, on the CPU.

    References: Nickel and Kiela, Poincaré Embeddings, NeurIPS 2017, arXiv:1705.08039. The numbers are those of the code
        of Ganea et al., ICML 2018.
    """
    vectors = nn.Parameter(2e-3 * torch.rand(taxonomy.num_nodes - 1, dim, generator=generator) - 1e-3)
    general, special = torch.tensor(edges.general), torch.tensor(edges.special)
    index = ops.tree_index(taxonomy, "cpu")
    reach = ((index.end - torch.arange(taxonomy.num_nodes))[1:].double() ** POWER).cumsum(0)
    optimiser = RiemannianSGD([vectors], lr=LEARNING_RATE)
    for epoch in track(range(epochs), "Poincaré embedding", shown=progress):
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * (BURN_IN_SHARE if epoch < BURN_IN else 1.0)
        for part in torch.randperm(len(general), generator=generator).split(BATCH):
            above, below = general[part], special[part]
            drawn = torch.rand(len(part), NUM_OTHERS, generator=generator, dtype=torch.float64) * reach[-1]
            others = 1 + torch.searchsorted(reach, drawn, right=True).clamp(max=len(reach) - 1)
            never = ops.covers(others, below[:, None], taxonomy)
            left_out = torch.cat([torch.zeros_like(never[:, :1]), never], 1)
            candidates = torch.cat([above[:, None], others], 1)
            apart = geometry.distance(vectors[candidates - 1], vectors[below - 1][:, None])
            loss = (apart[:, 0] + torch.logsumexp((-apart).masked_fill(left_out, -torch.inf), 1)).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                vectors.copy_(geometry.project(vectors, margin=MARGIN))
    return SHRINKING * vectors.detach()
