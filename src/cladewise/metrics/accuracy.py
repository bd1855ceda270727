"""Accuracy per image: top-k, sibling accuracy, and whether the answer is a leaf."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.metrics.truncation import truncate
from cladewise.ops import share_parents, tree_index
from cladewise.taxonomy import Taxonomy


def top_k(
    ranking: Int[Tensor, "*batch rank"], target: Int[Tensor, "*batch"], k: int, taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""1 if one of the first ``k`` ranked nodes is the label or lies below it, otherwise 0.

    .. math:: [\exists i \le k: r_i \in De(t)]

    Args:
        ranking: Nodes, best first. If it is shorter than ``k``, all of it counts.
        target: Node of the label; internal nodes allowed.
        k: Number of ranked nodes that may hit.
        taxonomy: The label tree.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> ranking = torch.tensor([[4, 2], [4, 2], [4, 2]])
        >>> top_k(ranking, torch.tensor([2, 3, 1]), 2, t)
        tensor([1., 0., 1.])
    """
    first, wanted = ranking[..., :k], target[..., None]
    return (truncate(first, wanted.expand_as(first), taxonomy) == wanted).any(-1).float()


def sibling(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""1 if the predicted node is the label, lies below it, or has the same parent, otherwise 0.

    .. math:: [\tilde{v} = t \ \lor\ \pi(\tilde{v}) = \pi(t)]

    Of several parents any counts.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sibling(torch.tensor([3, 4, 1]), torch.tensor([2, 2, 4]), t)
        tensor([1., 0., 1.])

    References:
        Reported with HACE (its released evaluation code).
    """
    reached = truncate(predicted, target, taxonomy)
    return ((reached == target) | share_parents(reached, target, taxonomy)).float()


def leaf_answers(predicted: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Float[Tensor, "*batch"]:
    r"""1 if the predicted node is a leaf, otherwise 0: how often a rule commits itself, right or wrong.

    .. math:: [C(v) = \emptyset]

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> leaf_answers(torch.tensor([3, 1, 4]), t)
        tensor([1., 0., 1.])
    """
    return (tree_index(taxonomy, predicted.device).end[predicted] == predicted + 1).float()
