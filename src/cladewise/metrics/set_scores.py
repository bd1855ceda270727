"""Coverage, size and specificity of answers that are sets of nodes."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.decisions import LabelSets
from cladewise.errors import InputError
from cladewise.metrics.information import specificity_of_leaves
from cladewise.ops import at_levels, is_ancestor, speaks, tree_index
from cladewise.taxonomy import Taxonomy


def set_columns(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Names of the columns of :func:`score_set`, in its order.

    Example:
        >>> set_columns(Taxonomy.from_paths([("a",)], level_names=["kind"]))
        ('set_coverage', 'set_coverage/kind', 'set_nodes', 'set_leaves', 'specificity')
    """
    return ("set_coverage", *(f"set_coverage/{name}" for name in taxonomy.level_names), *_OTHERS)


_OTHERS = ("set_nodes", "set_leaves", "specificity")


def set_tips(chosen: Bool[Tensor, "*batch node"], taxonomy: Taxonomy) -> Bool[Tensor, "*batch node"]:
    """The nodes of each set without another node of the set below them; the root of a set that is empty.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> set_tips(torch.tensor([[False, True, True, False, True], [False] * 5]), t).long()
        tensor([[0, 0, 1, 0, 1],
                [1, 0, 0, 0, 0]])
    """
    end = tree_index(taxonomy, chosen.device).end
    sums = torch.nn.functional.pad(chosen.cumsum(-1, dtype=torch.int64), (1, 0))
    tips = chosen & (sums[..., end] - sums[..., :-1] == 1)
    tips[..., 0] |= sums[..., -1] == 0
    return tips


def score_set(
    answer: LabelSets, target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> dict[str, Float[Tensor, "*batch"]]:
    r"""Per-image values of the metrics of a set of nodes, NaN where an image does not count.

    A set stands for the leaves under its nodes; its *tips* are those without another of its nodes below them, and an
    empty set stands for the root. With :math:`n` the leaves under the tips and :math:`L` all leaves:

    ======================  =========================================================================================
    ``set_coverage``        1 if the label lies at or under a tip
    ``set_coverage/level``  1 if the label's representative at the level is a tip's there, or lies at or under a tip
    ``set_nodes``           number of tips
    ``set_leaves``          :math:`n`
    ``specificity``         :math:`\log_2(L / n) / \log_2 L`: 0 for the root, 1 for a leaf
    ======================  =========================================================================================

    Ancestors are those of the primary tree.

    Args:
        answer: The sets of a decision.
        target: Node of each label; internal nodes allowed. Levels finer than a label do not count for it.
        taxonomy: The label tree.

    Returns:
        A tensor ``[*batch]`` under each name of :func:`set_columns`, in that order.

    Raises:
        InputError: The shapes do not match.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)], level_names=["genus", "species"])
        >>> chosen = torch.tensor([[False, True, True, False, True, False], [False] * 6])
        >>> values = score_set(LabelSets(chosen, torch.zeros(2, 6)), torch.tensor([3, 2]), t)  # b or d, and anything
        >>> {name: each.tolist() for name, each in values.items() if not name.startswith("set_coverage/")}
        {'set_coverage': [0.0, 1.0], 'set_nodes': [2.0, 1.0], 'set_leaves': [2.0, 4.0], 'specificity': [0.5, 0.0]}
        >>> values["set_coverage/genus"], values["set_coverage/species"]
        (tensor([1., 1.]), tensor([0., 1.]))
    """
    if answer.chosen.shape != (*target.shape, taxonomy.num_nodes):
        shapes = f"sets {list(answer.chosen.shape)}, target {list(target.shape)}"
        raise InputError("sets [*batch, node] and a target [*batch]", shapes)
    labels = target.reshape(-1)
    tips = set_tips(answer.chosen.reshape(len(labels), taxonomy.num_nodes), taxonomy)
    index = tree_index(taxonomy, tips.device)
    image, tip = tips.nonzero().unbind(1)
    labels = labels.to(tips.device)

    def some(of_tip: Bool[Tensor, "tip what"]) -> Float[Tensor, "image what"]:
        """Whether it is so for any tip of each image."""
        count = torch.zeros(len(labels), of_tip.shape[1], device=tips.device).index_add_(0, image, of_tip.float())
        return (count > 0).float()

    covered = some(is_ancestor(tip, labels[image], taxonomy)[:, None])[:, 0]
    wanted, said = at_levels(labels, taxonomy)[image], at_levels(tip, taxonomy)
    by_level = some((wanted == said) | is_ancestor(tip[:, None].expand_as(wanted), wanted, taxonomy))
    by_level = by_level.masked_fill(~speaks(labels, taxonomy), torch.nan)
    leaves = torch.zeros(len(labels), dtype=torch.int64, device=tips.device)
    leaves.index_add_(0, image, index.num_leaves_under[tip])
    told = specificity_of_leaves(leaves, taxonomy)
    columns = [covered, *by_level.unbind(1), tips.sum(1).float(), leaves.float(), told]
    return {name: each.reshape(target.shape) for name, each in zip(set_columns(taxonomy), columns, strict=True)}
