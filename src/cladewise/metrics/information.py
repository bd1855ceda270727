"""Recall and precision of the path shared with the label, by information or by depth."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.metrics.truncation import truncate
from cladewise.ops import covers, most_informative_common, num_common_ancestors, num_leaves_covered, tree_index
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

    Where nodes have several parents, :math:`m` is the most informative common ancestor, and the leaves :math:`B(u)` are
    those under :math:`u` through any parents (Resnik 1995); :math:`F_1` is then the similarity of Lin (1998).
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
        Resnik, Using information content to evaluate semantic similarity in a taxonomy, IJCAI 1995; Lin, An
        information-theoretic definition of similarity, ICML 1998.
    """
    reached = truncate(predicted, target, taxonomy)
    information = torch.log2(taxonomy.num_leaves / num_leaves_covered(taxonomy, target.device).double())
    meeting = most_informative_common(reached, target, taxonomy)
    return _scores(information[meeting], information[target], information[reached], reached, target, taxonomy)


def depth_scores(predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> PathScores:
    r"""Recall, precision and F1 of depth: :func:`information_scores` with edges from the root in place of information.

    .. math:: R = \frac{d(m)}{d(t)}, \quad P = \frac{d(m)}{d(\tilde{v})}

    Where nodes have several parents, edges of a path become nodes of a set of ancestors, as in the hierarchical
    precision and recall of Kiritchenko et al.; with :math:`A(u)` all ancestors and the node itself, but not the root,

    .. math:: R = \frac{|A(\tilde{v}) \cap A(t)|}{|A(t)|}, \quad P = \frac{|A(\tilde{v}) \cap A(t)|}{|A(\tilde{v})|}

    which is the same in a tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> depth_scores(torch.tensor([3, 4]), torch.tensor([2, 2]), t).f1.tolist()
        [0.5, 0.0]

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
        Kiritchenko et al., Learning and evaluation in the presence of class hierarchies, Canadian AI 2006; Silla and
        Freitas, A survey of hierarchical classification across different application domains, 2011.
    """
    reached = truncate(predicted, target, taxonomy)
    depth = tree_index(taxonomy, target.device).depth
    if taxonomy.has_further_parents:
        depth = depth + torch.tensor(taxonomy.further_ancestors.count, device=depth.device)
    shared = num_common_ancestors(reached, target, taxonomy).double()
    return _scores(shared, depth[target].double(), depth[reached].double(), reached, target, taxonomy)


def cpb(predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Float[Tensor, "*batch"]:
    r"""Correctly predicted bits, as a share: 1 for the right leaf, less for an ancestor with more leaves, 0 if wrong.

    .. math:: [\tilde{v} \in A(t)] \cdot \Big(1 - \frac{|B(\tilde{v})| \, [|B(\tilde{v})| > 1]}{L}\Big)

    A prediction below an internal label counts as the label. Ancestors and leaves through any parents count.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
        >>> cpb(torch.tensor([2, 1, 0, 3]), torch.tensor([2, 2, 2, 2]), t)
        tensor([1.0000, 0.5000, 0.0000, 0.0000])

    References:
        Wu et al., Solving long-tailed recognition with deep realistic taxonomic classifier, ECCV 2020,
        arXiv:2007.09898; the factor of a leaf is that of the released code.
    """
    reached = truncate(predicted, target, taxonomy)
    under = num_leaves_covered(taxonomy, target.device)[reached]
    left_open = torch.where(under == 1, 0, under) / taxonomy.num_leaves
    right = covers(reached, target, taxonomy)
    return torch.where(right, 1 - left_open, 0.0)


def under_specific(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""1 if the answer is right but stops above the label, otherwise 0.

    .. math:: [\tilde{v} \in A(t)] \, [\tilde{v} \ne t]

    A prediction below an internal label counts as the label; ancestors through any parents count. Every image is one of
    four: at its label (``top1``), above it, right down to some node and wrong below (:func:`over_specific`), or wrong
    from the first informative step. The first two make up ``correct``.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> under_specific(torch.tensor([2, 1, 0, 3, 4]), torch.tensor([2, 2, 2, 2, 2]), t)
        tensor([0., 1., 1., 0., 0.])
    """
    reached = truncate(predicted, target, taxonomy)
    return (covers(reached, target, taxonomy) & (reached != target)).float()


def over_specific(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""1 if the answer is wrong, but an informative ancestor of it is right, otherwise 0.

    .. math:: [\tilde{v} \notin A(t)] \, [I(m) > 0], \qquad m = \operatorname{lca}(\tilde{v}, t)

    These are the mistakes that a rule which stops earlier avoids without saying nothing. Where nodes have several
    parents, :math:`m` is the most informative common ancestor, as in :func:`information_scores`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> over_specific(torch.tensor([2, 1, 0, 3, 4]), torch.tensor([2, 2, 2, 2, 2]), t)
        tensor([0., 0., 0., 1., 0.])
    """
    reached = truncate(predicted, target, taxonomy)
    shared = num_leaves_covered(taxonomy, target.device)[most_informative_common(reached, target, taxonomy)]
    return (~covers(reached, target, taxonomy) & (shared < taxonomy.num_leaves)).float()


def specificity(predicted: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Float[Tensor, "*batch"]:
    r"""Information of each answer as a share of that of a leaf, right or not: 0 for the root, 1 for a leaf.

    .. math:: \phi(v) = \frac{I(v)}{\log_2 L} = 1 - \frac{\log_2 |B(v)|}{\log_2 L}

    It is the hierarchical coverage of Goren et al. In a tree of one leaf it is 1.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> specificity(torch.tensor([0, 1, 2]), t)
        tensor([0.0000, 0.5000, 1.0000])

    References: Goren, Galil and El-Yaniv, Hierarchical selective classification, NeurIPS 2024, arXiv:2405.11533.
    """
    return specificity_of_leaves(num_leaves_covered(taxonomy, predicted.device)[predicted], taxonomy)


def specificity_scores(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> PathScores:
    """:func:`information_scores` with the :func:`specificity` of the answer in place of recall."""
    scores = information_scores(predicted, target, taxonomy)
    return scores._replace(recall=specificity(predicted, taxonomy).double())


def specificity_of_leaves(count: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Float[Tensor, "*batch"]:
    """Specificity of an answer that leaves so many leaves possible."""
    if taxonomy.num_leaves == 1:
        return torch.ones_like(count, dtype=torch.float32)
    return (1 - count.double().log2() / math.log2(taxonomy.num_leaves)).float()


def _scores(
    shared: Tensor, wanted: Tensor, said: Tensor, reached: Tensor, target: Tensor, taxonomy: Taxonomy
) -> PathScores:
    """The scores from the amount that two nodes share and that of each."""
    recall = torch.where(wanted > 0, shared / wanted, 1.0)
    precision = torch.where(said > 0, shared / said, 1.0)
    f1 = torch.where(shared > 0, 2 * recall * precision / (recall + precision), 0.0)
    f1 = torch.where((wanted == 0) & (said == 0), 1.0, f1)
    correct = covers(reached, target, taxonomy)  # which a prediction below the label is too, as it counts as the label
    return PathScores(recall, precision, f1, correct.double())
