"""How well features fit the known classes: baselines that need no classifier."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy

FeatureScore = Literal["cosine", "nearest", "mahalanobis", "relative-mahalanobis"]
FEATURE_SCORES: tuple[FeatureScore, ...] = get_args(FeatureScore)
RIDGE = 0.01
"""Share of the mean variance that is added to every variance, so that covariances can be inverted."""
CELLS_AT_ONCE = 1 << 24
"""Similarities computed at a time, 64 MB in single precision."""


def feature_fit(
    kind: FeatureScore,
    features: Float[Tensor, "image dim"],
    known: Float[Tensor, "example dim"],
    labels: Int[Tensor, " example"],
    taxonomy: Taxonomy,
) -> LeafSoftmax:
    r"""How well each image fits each leaf, by its features alone, as scores of the leaves.

    The largest such score under a node, negated, is how new the image is under it:
    ``novelty.make("max-logit")(feature_fit(...))``. Features have length 1.

    ========================= ==============================================================================
    ``cosine``                cosine with the mean of the leaf's examples
    ``nearest``               cosine with the nearest of the leaf's examples
    ``mahalanobis``           minus the squared Mahalanobis distance to the mean of the leaf's examples, with one
                              covariance for all leaves
    ``relative-mahalanobis``  the same minus that of a single normal distribution for all examples
    ========================= ==============================================================================

    Args:
        kind: The kind of score.
        features: Features of the images.
        known: Features of examples.
        labels: Node of each example; those of inner nodes are left out.
        taxonomy: The label tree. A leaf without examples fits nothing.

    Raises:
        InputError: There is no such kind, or no example at a leaf.

    Example:
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> at = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> feature_fit("cosine", at, at, torch.tensor([1, 2]), t).leaf_logits
        tensor([[1., 0.],
                [0., 1.]])

    References: Lee et al., A simple unified framework for detecting out-of-distribution samples and adversarial
        attacks, NeurIPS 2018, arXiv:1807.03888; Ren et al., A simple fix to Mahalanobis distance for improving near-OOD
        detection, arXiv:2106.09022; Sun et al., Out-of-distribution detection with deep nearest neighbors, ICML 2022,
        arXiv:2204.06507.
    """
    if kind not in FEATURE_SCORES:
        raise InputError(f"a score of features: {', '.join(FEATURE_SCORES)}", repr(kind))
    leaves = torch.as_tensor(taxonomy.leaf_nodes.copy())
    place = torch.full((taxonomy.num_nodes,), -1)
    place[leaves] = torch.arange(len(leaves))
    at_leaf = place[labels] >= 0
    if not bool(at_leaf.any()):
        raise InputError("examples of leaves", f"{len(labels)} examples, none of them at a leaf")
    leaf = place[labels[at_leaf]]
    asked, examples = (torch.nn.functional.normalize(x, dim=-1) for x in (features, known[at_leaf]))
    if kind == "nearest":
        return LeafSoftmax(taxonomy, _nearest(asked, examples, leaf, len(leaves)))
    count = leaf.bincount(minlength=len(leaves))
    means = torch.zeros(len(leaves), examples.shape[1], dtype=examples.dtype).index_add(0, leaf, examples)
    means = means / count.clamp_min(1)[:, None]
    if kind == "cosine":
        fit = asked @ torch.nn.functional.normalize(means, dim=-1).T
    else:
        fit = -_squared_distances(asked, means, examples - means[leaf])
        if kind == "relative-mahalanobis":
            middle = examples.mean(0)
            fit = fit + _squared_distances(asked, middle[None], examples - middle)
    return LeafSoftmax(taxonomy, fit.masked_fill(count == 0, -torch.inf))


def _nearest(asked: Tensor, examples: Tensor, leaf: Tensor, num_leaves: int) -> Tensor:
    """Cosine with the nearest example of every leaf."""
    rows: list[Tensor] = []
    for part in asked.split(max(1, CELLS_AT_ONCE // len(examples))):
        fit = part.new_full((len(part), num_leaves), -torch.inf)
        similar = part @ examples.T
        rows.append(fit.scatter_reduce(1, leaf.expand_as(similar), similar, "amax"))
    return torch.cat(rows) if rows else asked.new_zeros(0, num_leaves)


def _squared_distances(asked: Tensor, means: Tensor, deviations: Tensor) -> Tensor:
    """Squared Mahalanobis distance of every image to every mean, by the covariance of the deviations."""
    covariance = deviations.double().T @ deviations.double() / len(deviations)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
    root = torch.linalg.cholesky(covariance + ridge * torch.eye(len(covariance), dtype=torch.float64))
    white = [torch.linalg.solve_triangular(root, x.double().T, upper=False).T for x in (asked, means)]
    return torch.cdist(white[0], white[1]).square().to(asked.dtype)
