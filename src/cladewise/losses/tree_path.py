"""Objectives over the softmaxes of all levels: smoothing over siblings, and the divergence from the label's path."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.level_softmax import LevelSoftmaxLoss
from cladewise.losses.loss import check_between
from cladewise.predictions import level_layout
from cladewise.taxonomy import Taxonomy

LARGE = 256
"""Siblings of which there are more than this are summed in all rows of a batch."""


class TreePathLoss(LevelSoftmaxLoss):
    r"""Level-wise cross-entropy with targets smoothed over siblings, and the divergence from the label's path (TP-KL).

    .. math:: \ell = \lambda \sum_{k \in K(t)} \Big(\operatorname{LSE}_v z_v^{(k)} - \sum_v s^{(k)}_v z_v^{(k)}\Big)
        + \mu\, \operatorname{KL}\Big(y \,\Big\|\, \operatorname{softmax}\big(z^{(k)}_v\big)_{k \in K(t),\, v}\Big)

    :math:`K(t)` are the chosen levels that the label speaks of: all of them for a leaf, and those not finer than the
    label otherwise. At level k the label :math:`t_k` keeps the mass :math:`1 - \epsilon` of its target :math:`s^{(k)}`,
    and its siblings share :math:`\epsilon` equally; a class without siblings keeps all of it. Siblings are the classes
    of the level with the same representative at the next coarser one, at the coarsest level all classes; a leaf that a
    level repeats is alone there. In the second term all levels are normalised together, by one softmax over their
    concatenated scores, and the target is the path: :math:`y = 1/|K(t)|` at every :math:`t_k`. So

    .. math:: \operatorname{KL} = \operatorname{LSE}_{k, v} z_v^{(k)} - \frac{1}{|K(t)|} \sum_k z_{t_k}^{(k)}
        - \log |K(t)| \ge 0

    It is 0 if the scores of the path are equal and all others are :math:`-\infty`. If each level were normalised by
    itself, the divergence would be the mean of the levels' cross-entropies and nothing new.

    The logits are those of a :class:`~cladewise.predictions.LevelSoftmax` with the same settings. The loss of the root
    is 0. With ``smoothing``, the first term is at least the entropy of the smoothed targets.

    Args:
        taxonomy: The label tree.
        levels: The chosen levels, 1 for the coarsest, including the finest; all levels by default.
        tied: Whether a leaf above a level has a single score, shared by all levels that repeat it.
        level_weight: Weight :math:`\lambda` of the levels' cross-entropies, >= 0; 0 for the divergence alone.
        path_weight: Weight :math:`\mu` of the divergence, >= 0; 0 for the cross-entropies alone.
        smoothing: Mass :math:`\epsilon` of the siblings, in [0, 1).

    Raises:
        InputError: A level does not exist, the levels are not ascending, or the finest is missing; or a weight or the
            smoothing is out of range.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> path = TreePathLoss(t, level_weight=0.0, path_weight=1.0)
        >>> path(torch.zeros(3, 5), torch.tensor([2, 1, 0])).exp()  # 5 scores for 2 labels, 2 for 1, none for the root
        tensor([2.5000, 2.0000, 1.0000])
        >>> siblings = TreePathLoss(t, path_weight=0.0, smoothing=0.2)
        >>> siblings(torch.tensor([[0.0, 0.0, 5.0, 0.0, 0.0]]), torch.tensor([2])).round(decimals=3)
        tensor([1.7070])

    References: Park et al., Visually consistent hierarchical image classification (H-CAST), ICLR 2025 (the divergence,
        beside the sum of the levels' cross-entropies): the softmax over concatenated scores is that of code that
        derives from the authors' repository, in which the default weight is 1 and a training script has 0.5. Li et al.,
        Hierarchy-aware fine-tuning of vision-language models, arXiv:2512.21529 (both terms, under the names TP-KL and
        HiSCE): from the abstract and a published summary; the code that one of its authors' groups released in OpenVINO
        Training Extensions has the same divergence, beside the mean of the levels' cross-entropies. The full texts were
        not to be had. Labels at internal nodes and ragged trees are our extension.
    """

    _family: Tensor
    _size: Tensor
    _begin: Tensor
    _member: Tensor
    _large_column: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        levels: tuple[int, ...] = (),
        tied: bool = False,
        *,
        level_weight: float = 1.0,
        path_weight: float = 1.0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(taxonomy, levels, tied)
        for name, weight in (("level_weight", level_weight), ("path_weight", path_weight)):
            if not 0.0 <= weight < float("inf"):
                raise InputError(f"a finite {name} of at least 0", weight)
        if not level_weight + path_weight > 0:
            raise InputError("a level_weight or a path_weight above 0", "0 for both")
        check_between(smoothing, 0.0, 1.0, "a smoothing")
        if smoothing == 1.0:
            raise InputError("a smoothing in [0, 1)", smoothing)
        self.level_weight, self.path_weight, self.smoothing = level_weight, path_weight, smoothing
        families = sibling_families(taxonomy, self.levels)
        for name, array in zip(("_family", "_size", "_begin", "_member"), families, strict=True):
            self.register_buffer(name, torch.from_numpy(array), persistent=False)
        self._hold_large(*families)

    def _hold_large(self, *families: NDArray[np.int64]) -> None:
        """Where the columns in the order of families have to be split to have each large family as a part."""
        family, size, begin, member = families
        large = np.flatnonzero(size > LARGE)
        bounds = np.unique([0, *begin[large], *(begin + size)[large], family.size])
        self._parts = np.diff(bounds).tolist()
        self._large_parts = np.searchsorted(bounds, begin[large]).tolist()
        self._in_order = bool((np.diff(member) > 0).all())
        column = np.zeros(size.size, dtype=np.int64)
        column[large] = np.arange(large.size)
        self.register_buffer("_large_column", torch.from_numpy(column), persistent=False)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        node = target.reshape(-1)
        scores = self.by_level(logits.reshape(node.numel(), logits.shape[-1]))
        if not self.levels:
            return scores.sum(-1).reshape(target.shape)
        columns, says = self.label_columns(node, scores.device)
        if self.smoothing and self.level_weight:
            normaliser, own, wanted = self._smoothed(scores, columns, says)
        else:
            normaliser, own = self.level_terms(scores, columns)
            wanted = own
        total = scores.new_zeros(node.numel())
        if self.level_weight:
            total = total + self.level_weight * torch.where(says, normaliser - wanted, 0.0).sum(-1)
        if self.path_weight:
            count = says.sum(-1)
            labelled = count > 0  # the root speaks of no level
            together = normaliser.masked_fill(~says & labelled[:, None], -torch.inf).logsumexp(-1)
            count = count.clamp(min=1).to(scores.dtype)
            divergence = together - torch.where(says, own, 0.0).sum(-1) / count - count.log()
            total = total + self.path_weight * torch.where(labelled, divergence, 0.0)
        return total.reshape(target.shape)

    def _smoothed(self, scores: Tensor, columns: Tensor, says: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By level: the log-sum-exp, the score of the label, and the mean score under its smoothed target.

        Small families are read column by column. Large ones, of which there are few, are summed in all rows.
        """
        device, num_levels = scores.device, columns.shape[1]
        family = self._family.to(device)[columns]
        size = torch.where(says, self._size.to(device)[family], 1)
        row, place = torch.nonzero((size > 1) & (size <= LARGE), as_tuple=True)
        count, first = size[row, place], self._begin.to(device)[family[row, place]]
        pair = torch.arange(len(row), device=device).repeat_interleave(count)
        index = torch.arange(len(pair), device=device)
        member = self._member.to(device)[index + (first - count.cumsum(0) + count)[pair]]
        in_row = torch.zeros(len(scores), dtype=torch.int64, device=device).index_add(0, row, count)
        step = index - (in_row.cumsum(0) - in_row)[row[pair]]
        read = columns.new_zeros(len(scores), int(in_row.max()) if len(in_row) else 0)
        read[row[pair], step] = member
        normaliser, values = self.level_terms(scores, torch.cat([columns, read], dim=1))
        own = values[:, :num_levels]
        sums = own.new_zeros(own.shape).view(-1)
        sums = sums.index_add(0, (row * num_levels + place)[pair], values[row[pair], num_levels + step])
        total = torch.where(size > LARGE, self._large_sums(scores, family), sums.view(own.shape))
        siblings = (total - own) / (size - 1).clamp(min=1)
        return normaliser, own, torch.where(size > 1, torch.lerp(own, siblings, self.smoothing), own)

    def _large_sums(self, scores: Tensor, family: Tensor) -> Float[Tensor, "batch level"]:
        """Sum of the scores of each label's family, if that is a large one."""
        if not self._large_parts:
            return scores.new_zeros(family.shape)
        ordered = scores if self._in_order else scores.index_select(1, self._member.to(scores.device))
        parts = ordered.split(self._parts, dim=1)
        sums = torch.stack([parts[place].sum(-1) for place in self._large_parts], dim=1)
        return sums.gather(1, self._large_column.to(scores.device)[family])

    def extra_repr(self) -> str:
        weights = f"level_weight={self.level_weight}, path_weight={self.path_weight}, smoothing={self.smoothing}"
        return f"{super().extra_repr()}, {weights}"


def sibling_families(
    taxonomy: Taxonomy, levels: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The families of siblings among the classes of each level, whose columns follow each other level after level.

    Siblings have the same representative at the next coarser level of the tree, whether that is a chosen one or not.

    Args:
        taxonomy: The label tree.
        levels: Levels, 1 for the coarsest.

    Returns:
        The family of each column; and for each family its size, where its columns begin in the last array, and that
        array: the columns in the order of families.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> family, size, begin, member = sibling_families(t, (1, 2))
        >>> family.tolist(), size.tolist()  # a and d; b and c; and the repeated d
        ([0, 0, 1, 1, 2], [2, 2, 1])
    """
    found, count = [np.zeros(0, dtype=np.int64)], 0
    for level, nodes in zip(levels, level_layout(taxonomy, levels), strict=True):
        above = taxonomy.at_level(level - 1)[nodes] if level > 1 else np.zeros(nodes.size, dtype=np.int64)
        found.append(count + np.unique(above, return_inverse=True)[1])
        count = int(found[-1].max(initial=count - 1)) + 1
    family = np.concatenate(found)
    size = np.bincount(family, minlength=count)
    return family, size, np.cumsum(size) - size, np.argsort(family, kind="stable")
