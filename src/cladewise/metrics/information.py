"""Recall and precision of the path shared with the label, by information or by depth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.metrics.truncation import truncate
from cladewise.ops import lca, tree_index
from cladewise.taxonomy import Taxonomy


class PathScores(NamedTuple):
    """Recall, precision and F1 of the path that two nodes share, and whether one is an ancestor of the other."""

    recall: Float[Tensor, "*batch"]
    precision: Float[Tensor, "*batch"]
    f1: Float[Tensor, "*batch"]
    correct: Float[Tensor, "*batch"]


def information_scores(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> PathScores:
    r"""Recall, precision and F1 of information, and correctness; ratios, so the unit of information cancels.

    .. math:: R = \frac{I(m)}{I(t)}, \quad P = \frac{I(m)}{I(\tilde{v})}, \quad
        F_1 = \frac{2}{1/R + 1/P}, \quad C = [m \in \{t, \tilde{v}\}], \qquad
        m = \operatorname{lca}(\tilde{v}, t), \quad I(u) = \log_2 \frac{L}{|B(u)|}

    0/0 counts as 1, so the root has precision 1 and recall 0; :math:`F_1` is 0 if either is. A prediction
    below an internal label counts as the label.

    Args:
        predicted: The answered node.
        target: Node of the label; internal nodes allowed.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> scores = information_scores(torch.tensor([1, 3, 0]), torch.tensor([2, 2, 2]), t)
        >>> scores.recall.tolist(), scores.precision.tolist(), scores.correct.tolist()
        ([0.5, 0.5, 0.0], [1.0, 0.5, 1.0], [1.0, 0.0, 1.0])

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    index = tree_index(taxonomy, target.device)
    leaves_under = (index.leaf_end - index.leaf_start).double()
    return _scores(torch.log2(len(index.leaf_nodes) / leaves_under), predicted, target, taxonomy)


def depth_scores(predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> PathScores:
    r"""Recall, precision and F1 of depth: :func:`information_scores` with edges from the root in place of information.

    .. math:: R = \frac{d(m)}{d(t)}, \quad P = \frac{d(m)}{d(\tilde{v})}

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> depth_scores(torch.tensor([3, 4]), torch.tensor([2, 2]), t).f1.tolist()
        [0.5, 0.0]

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    return _scores(tree_index(taxonomy, target.device).depth.double(), predicted, target, taxonomy)


def cpb(predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Float[Tensor, "*batch"]:
    r"""Correctly predicted bits, as a share: 1 for the right leaf, less for an ancestor with more leaves, 0 if wrong.

    .. math:: [\tilde{v} \in A(t)] \cdot \Big(1 - \frac{|B(\tilde{v})| \, [|B(\tilde{v})| > 1]}{L}\Big)

    A prediction below an internal label counts as the label.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
        >>> cpb(torch.tensor([2, 1, 0, 3]), torch.tensor([2, 2, 2, 2]), t)
        tensor([1.0000, 0.5000, 0.0000, 0.0000])

    References:
        Wu et al., Solving long-tailed recognition with deep realistic taxonomic classifier, ECCV 2020,
        arXiv:2007.09898; the factor of a leaf is that of the released code.
    """
    index = tree_index(taxonomy, target.device)
    reached = truncate(predicted, target, taxonomy)
    under = (index.leaf_end - index.leaf_start)[reached]
    left_open = torch.where(under == 1, 0, under) / len(index.leaf_nodes)
    right = lca(reached, target, taxonomy) == reached
    return torch.where(right, 1 - left_open, 0.0)


def _scores(weight: Tensor, predicted: Tensor, target: Tensor, taxonomy: Taxonomy) -> PathScores:
    reached = truncate(predicted, target, taxonomy)
    meeting = lca(reached, target, taxonomy)
    shared, wanted, said = weight[meeting], weight[target], weight[reached]
    recall = torch.where(wanted > 0, shared / wanted, 1.0)
    precision = torch.where(said > 0, shared / said, 1.0)
    f1 = torch.where(shared > 0, 2 * recall * precision / (recall + precision), 0.0)
    f1 = torch.where((wanted == 0) & (said == 0), 1.0, f1)
    correct = (meeting == reached) | (meeting == target)
    return PathScores(recall, precision, f1, correct.double())
