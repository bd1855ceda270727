"""Soft labels: targets spread over the leaves, with more mass on leaves closer to the label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.losses.distances import LcaDistance, check_distances, distance_by_lca, read_distances
from cladewise.losses.loss import Loss, check_between
from cladewise.ops import path_sum, subtree_sum
from cladewise.ops.rings import fill_rings, leaf_ranges, path_to
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy

Reduction = Literal["sum", "elementwise"]
Distance = str | Path | NDArray[np.float64]
"""The name of a distance by the lowest common ancestor, a file of distances, or a matrix by leaf position."""


class SoftTargets(nn.Module, ABC):
    r"""Target distribution over the leaves for each label.

    .. math:: s_j(l) = \frac{e^{-\beta D_{jl}}}{\sum_i e^{-\beta D_{il}}}, \qquad
        s_j(t) = \frac{1}{|B(t)|} \sum_{l \in B(t)} s_j(l)

    for a leaf :math:`l`; for an internal label :math:`t`, the mean over the leaves under it. :math:`D` is divided by
    its largest value.
    """

    _held: tuple[Tensor, ...]

    def hold(self, *arrays: NDArray[Any]) -> None:
        """Keep arrays outside the buffers, which would lose precision when the module is converted to half."""
        self._held = tuple(torch.from_numpy(array) for array in arrays)

    def held_on(self, device: torch.device) -> tuple[Tensor, ...]:
        """The arrays on a device; they stay there until another device is requested."""
        self._held = tuple(tensor.to(device) for tensor in self._held)
        return self._held

    @abstractmethod
    def forward(self, target: Int[Tensor, " batch"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "batch leaf"]:
        """Target distribution of every image."""


def soft_targets(taxonomy: Taxonomy, beta: float, distance: Distance = "lca-height") -> SoftTargets:
    """Soft targets for a distance, in the implementation that suits it.

    Args:
        taxonomy: The label tree.
        beta: Hardness, >= 0: 0 is uniform, infinity the label itself.
        distance: ``"lca-height"``, ``"hace"`` (:func:`~cladewise.losses.distances.distance_by_lca`), a file
            (:func:`~cladewise.losses.distances.read_distances`) or a matrix by leaf position.

    Raises:
        InputError: ``beta`` is negative or nan, or the distance is invalid.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> soft_targets(t, 2.0)(torch.tensor([2, 1])).round(decimals=2)
        tensor([[0.6700, 0.2400, 0.0900],
                [0.4500, 0.4500, 0.0900]])
    """
    check_between(beta, 0.0, float("inf"), "a beta")
    beta = min(beta, float(np.finfo(np.float64).max))  # infinity times 0 is nan
    if not isinstance(distance, str | Path):
        return TableTargets(taxonomy, beta, check_distances(distance, taxonomy))
    if distance in get_args(LcaDistance):
        return RingTargets(taxonomy, beta, distance_by_lca(taxonomy, distance))  # pyright: ignore[reportArgumentType]
    if not Path(distance).suffix:
        raise InputError(f"a distance among {', '.join(get_args(LcaDistance))}, or a file", repr(str(distance)))
    return TableTargets(taxonomy, beta, read_distances(distance, taxonomy))


class RingTargets(SoftTargets):
    r"""Soft targets for a distance that depends only on the lowest common ancestor: a few numbers per node, no table.

    A leaf outside the label's subtree has the same lowest common ancestor with all leaves inside, so the target there
    is constant on each ring around the path: :math:`e^{-\beta D(a)}` times the mean of the leaves' normalisers
    :math:`r_l = 1 / \sum_i e^{-\beta D_{il}}`. Inside, with :math:`R(v) = \sum_{l \in B(v)} r_l`, the leaves that meet
    ``j`` at its ancestor ``a``, whose child towards ``j`` is ``c``, contribute :math:`e^{-\beta D(a)} (R(a) - R(c))`.
    Summed down from the root this is one number per node; the terms above the label are subtracted again.
    """

    def __init__(self, taxonomy: Taxonomy, beta: float, distance: NDArray[np.float64]) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        far = np.exp(-beta * distance)
        parents, leaves = taxonomy.parents[1:], taxonomy.leaf_nodes
        others = np.zeros(taxonomy.num_nodes)  # weight of the leaves that a node's leaves meet at its parent
        others[1:] = far[parents] * (taxonomy.num_leaves_under[parents] - taxonomy.num_leaves_under[1:])
        own = np.zeros(taxonomy.num_nodes)
        own[leaves] = 1.0 / (1.0 + path_sum(torch.from_numpy(others), taxonomy).numpy()[leaves])
        total = subtree_sum(torch.from_numpy(own), taxonomy).numpy()
        met = np.zeros(taxonomy.num_nodes)
        met[1:] = far[parents] * (total[parents] - total[1:])
        met_above = path_sum(torch.from_numpy(met), taxonomy).numpy()
        self.hold(far, total / taxonomy.num_leaves_under, met_above, (met_above + own)[leaves])

    def forward(self, target: Int[Tensor, " batch"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "batch leaf"]:
        far, inverse, met_above, met = self.held_on(target.device)
        path = path_to(target, self.taxonomy)
        ranges = leaf_ranges(path, self.taxonomy)
        rows = fill_rings((far[path] * inverse[target][:, None]).to(dtype), ranges, self.taxonomy.num_leaves)

        first, count = ranges[0][:, -1], ranges[1][:, -1] - ranges[0][:, -1]  # the leaves under the label
        image = torch.arange(target.numel(), device=target.device).repeat_interleave(count)
        place = torch.arange(image.numel(), device=target.device) + (first - count.cumsum(0) + count)[image]
        rows[image, place] = ((met[place] - met_above[target][image]) / count[image]).to(dtype)
        return rows


class TableTargets(SoftTargets):
    """Soft targets for any distance: a table of labels × leaves in double precision, one row per label."""

    def __init__(self, taxonomy: Taxonomy, beta: float, distance: NDArray[np.float64]) -> None:
        super().__init__()
        of_leaf = torch.from_numpy(-beta * distance).softmax(1)
        by_node = of_leaf.new_zeros(taxonomy.num_leaves, taxonomy.num_nodes)
        by_node[:, torch.from_numpy(taxonomy.leaf_nodes.copy())] = of_leaf.t()
        table = subtree_sum(by_node, taxonomy).t() / torch.from_numpy(taxonomy.num_leaves_under.copy())[:, None]
        self.hold(table.contiguous().numpy())

    def forward(self, target: Int[Tensor, " batch"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "batch leaf"]:
        (table,) = self.held_on(target.device)
        return table[target].to(dtype)


class SoftLabelLoss(Loss):
    r"""Cross-entropy of a softmax over the leaves against soft labels.

    .. math:: \ell = -\sum_j s_j(t) \log p_j

    with the targets :math:`s` of :class:`SoftTargets`. The minimum is the entropy of the target, not 0.

    Args:
        taxonomy: The label tree.
        beta: Hardness, >= 0: 0 is a uniform target, infinity the plain cross-entropy.
        distance: ``"lca-height"``, ``"hace"``, a file or a matrix; see :func:`soft_targets`.
        reduction: ``"sum"`` is the formula above; ``"elementwise"`` is the KL divergence from the target divided by
            the number of leaves, as in the authors' code. The gradients differ only by that factor.

    Raises:
        InputError: ``beta`` is negative, or the distance or the reduction is invalid.

    Example:
        >>> loss = SoftLabelLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]), beta=4.0)
        >>> loss(torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([2])).round(decimals=3)
        tensor([0.5570])

    References: Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393, Eq. 5. On iNaturalist 2019 their
        distances are the heights of the lowest common ancestors; on tieredImageNet-H they were measured in a larger
        WordNet, so only the published distances, given as a file, reproduce them.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        beta: float = 10.0,
        distance: Distance = "lca-height",
        reduction: Reduction = "sum",
    ) -> None:
        super().__init__(taxonomy)
        if reduction not in get_args(Reduction):
            raise InputError(f"a reduction among {', '.join(get_args(Reduction))}", repr(reduction))
        self.targets = soft_targets(taxonomy, beta, distance)
        self.beta = beta
        self.reduction: Reduction = reduction

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_leaves

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LeafSoftmax:
        return LeafSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Float[Tensor, "*batch leaf"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scores = logits.reshape(-1, logits.shape[-1])
        wanted = self.targets(target.reshape(-1), scores.dtype)
        loss = -(wanted * scores.log_softmax(-1)).sum(-1)
        if self.reduction == "elementwise":
            loss = (loss + torch.xlogy(wanted, wanted).sum(-1)) / self.num_outputs
        return loss.reshape(target.shape)
