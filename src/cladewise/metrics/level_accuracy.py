"""Accuracy per level, full-path accuracy, and consistency of the levels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.ops import at_levels, common_at_level, is_further_ancestor, speaks
from cladewise.taxonomy import Taxonomy


def level_correct(
    at_level: Int[Tensor, "*batch level"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    node: Int[Tensor, "*batch"] | None = None,
) -> Float[Tensor, "*batch level"]:
    r"""1 if the node answered at a level represents the label there, 0 if not, NaN at levels finer than the label.

    .. math:: [\hat{v}_k = \operatorname{rep}_k(t)]

    A label at an internal node does not determine finer levels. A leaf above a level represents itself there. Where
    nodes have several parents, an answer is right at a level too if it shares another ancestor in it with the label.

    Args:
        at_level: Node answered at each level, coarse to fine: a :class:`LevelNodes` answer's ``node``, or
            :func:`at_levels` of one answered node.
        target: Node of the label; internal nodes allowed.
        taxonomy: The label tree.
        node: The answered node, if one node answers at all levels. Its further ancestors then count at every level,
            otherwise those of each level's node.

    Raises:
        InputError: There is not one node for each level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> level_correct(at_levels(torch.tensor([3, 3, 1]), t), torch.tensor([2, 1, 3]), t)
        tensor([[1., 0.], [1., nan], [1., 0.]])
    """
    check_levels(at_level, taxonomy)
    right = at_level == at_levels(target, taxonomy)
    if taxonomy.has_further_parents:
        right = right | _further_common(at_level, target, node, taxonomy)
    return right.float().masked_fill(~speaks(target, taxonomy), torch.nan)


def weighted_level_accuracy(
    level_accuracy: Float[Tensor, "*batch level"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""Mean of the level accuracies, weighted by the number of nodes of each level.

    .. math:: \frac{\sum_k N_k \, \mathrm{acc}_k}{\sum_k N_k}

    Args:
        level_accuracy: Accuracy at each level, coarse to fine; levels with NaN are left out.
        taxonomy: The label tree.

    Raises:
        InputError: There is not one accuracy for each level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> round(weighted_level_accuracy(torch.tensor([1.0, 0.5]), t).item(), 6)
        0.7

    References:
        Park et al., Visually Consistent Hierarchical Image Classification (H-CAST), ICLR 2025, arXiv:2406.11608.
    """
    check_levels(level_accuracy, taxonomy)
    sizes = [len(taxonomy.level_nodes(level)) for level in range(1, taxonomy.num_levels + 1)]
    weight = level_accuracy.new_tensor(sizes).expand_as(level_accuracy)
    weight = weight.masked_fill(level_accuracy.isnan(), 0.0)
    return (level_accuracy.nan_to_num(0.0) * weight).sum(-1) / weight.sum(-1)


def full_path(correct: Float[Tensor, "*batch level"]) -> Float[Tensor, "*batch"]:
    """1 if all levels that the label determines are right, otherwise 0; NaN if it determines none.

    Args:
        correct: What :func:`level_correct` returns.

    Example:
        >>> full_path(torch.tensor([[1.0, 0.0], [1.0, torch.nan]]))
        tensor([0., 1.])

    References:
        Park et al., Visually Consistent Hierarchical Image Classification (H-CAST), ICLR 2025, arXiv:2406.11608,
        where it is called full-path accuracy.
    """
    silent = correct.isnan()
    right = ((correct > 0) | silent).all(-1).float()
    return right.masked_fill(silent.all(-1), torch.nan)


def tice(at_level: Int[Tensor, "*batch level"], taxonomy: Taxonomy) -> Float[Tensor, "*batch"]:
    r"""1 if the nodes answered at the levels do not all lie on the path to the finest of them, otherwise 0.

    .. math:: [\exists k: \hat{v}_k \ne \operatorname{rep}_k(\hat{v}_K)]

    A single answered node is consistent with itself, so it gives 0. Further ancestors of the finest node are as
    consistent with it as those on its path.

    Raises:
        InputError: There is not one node for each level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> tice(torch.tensor([[1, 3], [1, 4]]), t)
        tensor([0., 1.])

    References:
        Tree-based inconsistency error of Park et al., Visually Consistent Hierarchical Image Classification (H-CAST),
        ICLR 2025, arXiv:2406.11608.
    """
    check_levels(at_level, taxonomy)
    finest = at_level[..., -1:]
    odd = at_level != at_levels(at_level[..., -1], taxonomy)
    if taxonomy.has_further_parents:
        odd &= ~is_further_ancestor(at_level, finest.expand_as(at_level), taxonomy)
    return odd.any(-1).float()


def _further_common(at_level: Tensor, target: Tensor, node: Tensor | None, taxonomy: Taxonomy) -> Tensor:
    """Whether answer and label have a common ancestor in each level that is not on both their paths."""
    if node is not None:
        return common_at_level(node, target, taxonomy)
    levels = at_level.unbind(-1)
    return torch.stack([common_at_level(v, target, taxonomy)[..., k] for k, v in enumerate(levels)], -1)


def check_levels(at_level: Int[Tensor, "*batch level"], taxonomy: Taxonomy) -> None:
    """Check that there is one node for each level.

    Raises:
        InputError: There is not.
    """
    if taxonomy.num_levels == 0 or at_level.ndim == 0 or at_level.shape[-1] != taxonomy.num_levels:
        raise InputError(f"a node for each of {taxonomy.num_levels} levels", f"shape {list(at_level.shape)}")
