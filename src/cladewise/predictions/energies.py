"""One energy per label: the distance by which an image misses the label's region."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.level_softmax import LevelSoftmax
from cladewise.predictions.prediction import Coherence, LevelLogProb, Prediction, check_width
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class LevelEnergies(Prediction):
    r"""The label of least energy in each extended level, independently.

    .. math:: \log p_v^{(k)} = -E_v / T - \operatorname{LSE}_{u \in \text{level}\ k} (-E_u / T)

    The energy of a label is how far an image misses the label's region, 0 inside. It is not a logarithm, so T only
    sets how confident a difference of energies is. Of labels with equal energy the first wins. A leaf above a level
    keeps its energy there; a node that represents children which skip the level has the smallest of their energies.
    Probabilities of nodes follow as in :class:`LevelSoftmax`.

    Args:
        taxonomy: The label tree.
        negative_energy: Minus the energy of every node but the root.
        temperature: T > 0, in units of the energy.

    Raises:
        InputError: There is not a score for every node but the root, or the temperature is not above zero.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> prediction = LevelEnergies(t, torch.tensor([[0.0, -0.5, 0.0, -1.0]]))
        >>> [best.nodes[best.log_prob.argmax(-1)] for best in map(prediction.level_log_prob, (1, 2))]
        [tensor([1]), tensor([3])]

    References: Dhall et al., Hierarchical image classification using entailment cone embeddings, CVPRW 2020,
        arXiv:2004.03459, section 4.3: the label of least energy at each level.
    """

    negative_energy: Float[Tensor, "*batch label"]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_width(self.negative_energy, self.taxonomy.num_nodes - 1, "node but the root")
        if not self.temperature > 0:
            raise InputError("a temperature above 0", self.temperature)

    @property
    def coherence(self) -> Coherence:
        return Coherence.MONOTONE

    @property
    def logits(self) -> Float[Tensor, "*batch label"]:
        return self.negative_energy

    @property
    def scored_nodes(self) -> Int[Tensor, " label"]:
        return torch.arange(1, self.taxonomy.num_nodes, device=self.device)

    @cached_property
    def _by_level(self) -> LevelSoftmax:
        scores = ops.at_least_float(self.negative_energy) / self.temperature
        scores = torch.cat([torch.zeros_like(scores[..., :1]), scores], -1)  # column v is node v
        levels = [_at_level(scores, self.taxonomy, k) for k in range(1, self.taxonomy.num_levels + 1)]
        return LevelSoftmax(self.taxonomy, torch.cat(levels, -1) if levels else scores[..., :0])

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return self._by_level.log_prob

    def prob_outside(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        return self._by_level.prob_outside(image, node)

    def all_outside(self) -> Float[Tensor, "image node"]:
        return self._by_level.all_outside()

    def level_log_prob(self, level: int) -> LevelLogProb:
        return self._by_level.level_log_prob(level)

    def tempered_by_level(self, temperature: Float[Tensor, " level"]) -> LevelSoftmax:
        return self._by_level.tempered_by_level(temperature)


def _at_level(scores: Float[Tensor, "*batch node"], taxonomy: Taxonomy, level: int) -> Float[Tensor, "*batch place"]:
    """Scores of the nodes of a level; a node that represents children which skip it has the largest of theirs."""
    nodes = taxonomy.level_nodes(level)
    skips = 1 + np.flatnonzero((taxonomy.level[taxonomy.parents[1:]] < level) & (taxonomy.level[1:] > level))
    if not skips.size:
        return scores.index_select(-1, torch.tensor(nodes, device=scores.device))
    standing = np.searchsorted(nodes, taxonomy.parents[skips])
    alone = ~np.isin(np.arange(nodes.size), standing)
    source = torch.tensor(np.concatenate([nodes[alone], skips]), device=scores.device)
    place = torch.tensor(np.concatenate([np.flatnonzero(alone), standing]), device=scores.device)
    chosen = scores.index_select(-1, source)
    least = chosen.new_full((*chosen.shape[:-1], nodes.size), -torch.inf)
    return least.scatter_reduce(-1, place.expand_as(chosen), chosen, "amax")
