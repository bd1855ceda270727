"""Max-margin loss of the energies between an image and the labels."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cladewise import ops
from cladewise.errors import InputError
from cladewise.losses.loss import Loss, check_choice
from cladewise.predictions import LevelEnergies
from cladewise.taxonomy import Taxonomy

Strategy = Literal["pick-per-level", "uniform"]


class MaxMarginEnergyLoss(Loss):
    r"""Energies of an image under the labels on its path, plus hinge losses that push other energies to a margin.

    .. math:: \ell = \sum_{a \in A^\circ(t)} E(a, x) + m\,|A^\circ(t)|\,
        \operatorname{mean}_{u \notin A(t)} \max(0, \gamma - E(u, x))

    where :math:`A^\circ(t)` is the path of the target without the root and m is the number of negative edges per
    positive one. The mean replaces sampling by its expectation, without variance: over all labels that are neither on
    the path nor under the target (``uniform``), or over levels of the mean over each level's labels
    (``pick-per-level``), so that the few coarse labels weigh as much as the many leaves. Labels under an internal
    target are unlabelled and do not contribute. The loss of the root is 0. Where labels have several parents, ancestors
    and descendants through any of them count.

    In a level of a thousand labels the few that an image is mistaken for are lost in that mean. With a ``hardness``
    h > 0 it is a weighted mean, with weights :math:`e^{-h E(u, x)}` that are normalised in each level and constants to
    the gradient: the nearest labels carry the push, however many there are. The other two options depend on the number
    :math:`n_k` of labels of level k, with :math:`n_1` at the coarsest: :math:`\gamma_k = \gamma\,(n_1 / n_k)^q`
    (``margin_power``), and a factor of the level's mean, :math:`(n_k / n_1)^p` (``push_power``). All three are 0 by
    default, which is the published loss.

    The logits are *minus* the energies of all nodes but the root, as in
    :class:`~cladewise.predictions.LevelEnergies`. Energies are at least 0.

    Args:
        taxonomy: The label tree.
        margin: :math:`\gamma`, in units of the energy (radians for cones), >= 0.
        num_negatives: m, >= 0.
        negatives: ``pick-per-level`` or ``uniform``.
        temperature: Temperature of the :meth:`prediction`; the loss does not depend on it.
        hardness: h, per unit of the energy, >= 0.
        margin_power: q, >= 0.
        push_power: p, >= 0; without effect on ``uniform`` negatives, which have no levels.

    Raises:
        InputError: A number is negative, or the choice of negatives is unknown.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> loss = MaxMarginEnergyLoss(t, margin=1.0, num_negatives=2)
        >>> loss(-torch.tensor([[0.0, 0.5, 0.25]]), torch.tensor([2]))  # 0.5, and 2 * 2 * (1 - 0.25)
        tensor([3.5000])
        >>> other = MaxMarginEnergyLoss(t, margin=1.0, num_negatives=2, negatives="uniform", hardness=4.0)
        >>> other(-torch.tensor([[0.0, 0.5, 0.25]]), torch.tensor([3])).round(decimals=4)  # e^0 against e^-2
        tensor([2.1308])

    References: Dhall et al., Hierarchical image classification using entailment cone embeddings, CVPRW 2020,
        arXiv:2004.03459, Eq. 1 and section 4.3. The paper samples five negatives that replace the label and five
        labels or images that replace the image; pairs with an image as the more general element are left out here.
    """

    _group: Tensor
    _rank: Tensor
    _margin_factors: Tensor
    _pushes: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        margin: float = 1.0,
        num_negatives: float = 5.0,
        negatives: Strategy = "pick-per-level",
        temperature: float = 0.1,
        hardness: float = 0.0,
        margin_power: float = 0.0,
        push_power: float = 0.0,
    ) -> None:
        super().__init__(taxonomy)
        check_choice(negatives, get_args(Strategy), "negatives")
        numbers = {"a margin": margin, "a number of negatives": num_negatives, "a hardness": hardness}
        for what, value in {**numbers, "a margin_power": margin_power, "a push_power": push_power}.items():
            if not 0 <= value < float("inf"):
                raise InputError(f"{what} of at least 0", value)
        self.margin, self.num_negatives, self.negatives = margin, num_negatives, negatives
        self.temperature, self.hardness = temperature, hardness
        level = torch.as_tensor(taxonomy.level[1:].copy(), dtype=torch.int64)
        by_level, sizes = level.unique(return_inverse=True, return_counts=True)[1:]
        growth = sizes / sizes[:1]
        rank = by_level if negatives == "pick-per-level" else torch.zeros_like(level)
        group = nn.functional.one_hot(rank) if len(rank) else rank[:, None]
        pushes = growth**push_power if negatives == "pick-per-level" else growth[:1]
        self.register_buffer("_group", group.float(), persistent=False)  # [label, group]
        self.register_buffer("_rank", rank, persistent=False)
        self.register_buffer("_margin_factors", growth[by_level] ** -margin_power, persistent=False)  # [label]
        self.register_buffer("_pushes", pushes, persistent=False)  # [group]

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LevelEnergies:
        return LevelEnergies(self.taxonomy, logits, self.temperature)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        node, index = target.reshape(-1), ops.tree_index(self.taxonomy, logits.device)
        energy = -logits.reshape(node.numel(), logits.shape[-1])
        if not self.num_outputs:
            return energy.sum(1).reshape(target.shape)
        path = ops.ancestors(node, self.taxonomy)
        labelled = path > 0
        true = torch.where(labelled, energy.gather(1, (path - 1).clamp_min(0)), 0.0).sum(1)
        nodes = torch.arange(self.taxonomy.num_nodes, device=logits.device)
        other = (nodes < node[:, None]) | (nodes >= index.end[node][:, None])
        other = other.scatter(1, path.clamp_min(0), False)  # positions beyond the path point to the root
        count_true = labelled.sum(1)
        if self.taxonomy.has_further_parents:
            (image, above), (place, below) = ops.further_pairs(node, self.taxonomy)
            true = true.index_add(0, image, energy[image, above - 1])
            count_true = count_true + torch.bincount(image, minlength=node.numel())
            other[image, above], other[place, below] = False, False
        other = other[:, 1:]
        group = self._group.to(energy)
        weight = self._weights(energy, other)
        count = weight @ group  # at least 1 where there is a negative edge
        lacking = torch.relu(self.margin * self._margin_factors.to(energy) - energy) * weight
        false = (lacking @ group * self._pushes.to(energy) / count.clamp_min(1.0)).sum(1)
        false = false / (count > 0).sum(1).clamp_min(1)
        return (true + self.num_negatives * count_true * false).reshape(target.shape)

    @torch.no_grad()
    def _weights(
        self, energy: Float[Tensor, "image label"], other: Bool[Tensor, "image label"]
    ) -> Float[Tensor, "image label"]:
        """The weight of each negative edge in the mean of its group, 1 for the nearest; 0 for other labels."""
        if not self.hardness:
            return other.to(energy.dtype)
        energy = torch.where(other, energy, torch.inf)
        rank = self._rank.to(energy.device).expand_as(energy)
        least = energy.new_full((len(energy), self._group.shape[1]), torch.inf).scatter_reduce(1, rank, energy, "amin")
        return torch.exp(-self.hardness * (energy - least.gather(1, rank)).nan_to_num(nan=torch.inf))
