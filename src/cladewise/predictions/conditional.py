"""Predictions with one logit per node below the root: conditional, independent and path-sum forms."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from cladewise import ops
from cladewise.predictions.leaf_weights import LeafWeights
from cladewise.predictions.pools import Pooling
from cladewise.predictions.prediction import Coherence, Prediction, SiblingScores, check_width


@dataclasses.dataclass(frozen=True, eq=False)
class _ByNode(Prediction):
    """A score for every node but the root: ``node_logits[..., i]`` is node ``i + 1``."""

    node_logits: Float[Tensor, "*batch child"]

    def __post_init__(self) -> None:
        check_width(self.node_logits, self.taxonomy.num_nodes - 1, "node below the root")

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.node_logits

    @property
    def scored_nodes(self) -> Int[Tensor, " out"]:
        return torch.arange(1, self.taxonomy.num_nodes, device=self.device)


@dataclasses.dataclass(frozen=True, eq=False)
class _ByNodeSigmoid(_ByNode):
    """One logit per node with a sigmoid of its own: ruling out nodes leaves the probabilities of the others alone.

    With any other weights it is the leaves alone that compete, since sigmoids have no sum to restore.
    """

    def weighted(self, weights: LeafWeights) -> Self | None:
        if not weights.only_cuts:
            return None
        shut = ~weights.possible[..., 1:]
        return self.map(lambda logits: logits.masked_fill(shut, -torch.inf))

    def pooled_by(self, pooling: Pooling) -> Self:
        """Every sigmoid pooled as the probabilities of its two outcomes."""
        return self.map(lambda logits: _pooled_logits(ops.at_least_float(logits), pooling))

    def tempered_by_level(self, temperature: Float[Tensor, " level"]) -> Self | None:
        level = ops.tree_index(self.taxonomy, self.device).level[1:] - 1
        return dataclasses.replace(self, node_logits=ops.tempered(self.node_logits, temperature[level]))


@dataclasses.dataclass(frozen=True, eq=False)
class SiblingSoftmax(_ByNode):
    r"""A softmax among the children of every node, multiplied down the path.

    .. math:: \log p_v = \sum_{a \in A(v) \setminus \{root\}} \Big(z_a - \operatorname{LSE}_{c \in C(\pi(a))} z_c\Big)

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> SiblingSoftmax(t, torch.zeros(1, 4)).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.2500, 0.2500, 0.5000]])

    References: Redmon and Farhadi, YOLO9000, CVPR 2017, arXiv:1612.08242.
    """

    @property
    def coherence(self) -> Coherence:
        return Coherence.EXACT

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        steps = ops.sibling_log_softmax(ops.at_least_float(self.node_logits), self.taxonomy)
        return ops.path_sum(pad(steps, (1, 0)), self.taxonomy)

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        leaf = ops.tree_index(self.taxonomy, self.device).height == 0
        return self.log_prob.masked_fill(~leaf, -torch.inf)


@dataclasses.dataclass(frozen=True, eq=False)
class ConditionalSigmoid(_ByNodeSigmoid):
    r"""A sigmoid at every node for its probability given the parent, multiplied down the path; siblings do not compete.

    .. math:: \log p_v = \sum_{a \in A(v) \setminus \{root\}} \log \sigma(z_a)

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> ConditionalSigmoid(t, torch.zeros(1, 4)).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.2500, 0.2500, 0.5000]])

    References: Brust and Denzler, Integrating domain knowledge, ACPR 2019, arXiv:1811.07125.
    """

    @property
    def coherence(self) -> Coherence:
        return Coherence.MONOTONE

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return ops.path_sum(pad(ops.log_sigmoid(ops.at_least_float(self.node_logits)), (1, 0)), self.taxonomy)

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self.log_prob[..., ops.tree_index(self.taxonomy, self.device).leaf_nodes]


@dataclasses.dataclass(frozen=True, eq=False)
class NodeSigmoid(_ByNodeSigmoid):
    r"""An independent sigmoid at every node.

    .. math:: \log p_v = \log \sigma(z_v)

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> NodeSigmoid(t, torch.zeros(1, 3)).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.5000, 0.5000]])
    """

    @property
    def coherence(self) -> Coherence:
        return Coherence.NONE

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return pad(ops.log_sigmoid(ops.at_least_float(self.node_logits)), (1, 0))


TIE_BREAK = 1e-3
"""Weight of the product down the path in a :class:`CappedSigmoid`."""


@dataclasses.dataclass(frozen=True, eq=False)
class CappedSigmoid(_ByNodeSigmoid):
    r"""A sigmoid at every node, capped by those above it, so that no child is more probable than its parent.

    .. math:: \log p_v = (1 - \varepsilon) \min_{a \in A(v) \setminus \{root\}} \log \sigma(z_a)
        + \varepsilon \sum_{a \in A(v) \setminus \{root\}} \log \sigma(z_a), \qquad \varepsilon = 10^{-3}

    The second term keeps siblings in order that the first caps at the same value. It holds
    probabilities that were set node by node, such as those of :class:`~cladewise.inference.Calibrate`.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> CappedSigmoid(t, torch.tensor([[0.0, 1.0, -1.0]])).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.4998, 0.2688]])
    """

    @property
    def coherence(self) -> Coherence:
        return Coherence.MONOTONE

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        own = pad(ops.log_sigmoid(ops.at_least_float(self.node_logits)), (1, 0))
        capped, product = ops.path_min(own, self.taxonomy), ops.path_sum(own, self.taxonomy)
        return (1 - TIE_BREAK) * capped + TIE_BREAK * product

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self.log_prob[..., ops.tree_index(self.taxonomy, self.device).leaf_nodes]


@dataclasses.dataclass(frozen=True, eq=False)
class PathSumSoftmax(_ByNode):
    r"""A softmax over the leaves, whose scores are the sums of the scores on their paths.

    .. math:: z_l = \sum_{a \in A(l) \setminus \{root\}} \theta_a, \qquad
        \log p_v = \operatorname{LSE}_{l \in B(v)} z_l - \operatorname{LSE}_l z_l

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> PathSumSoftmax(t, torch.zeros(1, 4)).log_prob.exp()
        tensor([[1.0000, 0.6667, 0.3333, 0.3333, 0.3333]])

    References: Wu et al., Solving long-tailed recognition with deep realistic taxonomic classifier, ECCV 2020,
        arXiv:2007.09898, as the parameter-sharing softmax of Valmadre, NeurIPS 2022, arXiv:2210.10929.
    """

    @property
    def coherence(self) -> Coherence:
        return Coherence.EXACT

    @cached_property
    def path_scores(self) -> Float[Tensor, "*batch node"]:
        """Sum of the scores on the path to every node; 0 at the root."""
        return ops.path_sum(pad(ops.at_least_float(self.node_logits), (1, 0)), self.taxonomy)

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        leaf_scores = ops.leaf_path_sum(ops.at_least_float(self.node_logits), self.taxonomy)
        return ops.leaf_logsumexp(leaf_scores.log_softmax(-1), self.taxonomy)

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        leaf = ops.tree_index(self.taxonomy, self.device).height == 0
        return self.log_prob.masked_fill(~leaf, -torch.inf)


TEMPERATURE = 10.0
"""Divisor of Deep-RTC's path sums, so that the sigmoid does not saturate; it changes no ranking."""


@dataclasses.dataclass(frozen=True, eq=False)
class PathSumSigmoid(_ByNodeSigmoid):
    r"""A sigmoid of the sum of the scores on the path to every node.

    .. math:: \log p_v = \log \sigma\Big(\tfrac{1}{10} \sum_{a \in A(v) \setminus \{root\}} \theta_a\Big)

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> PathSumSigmoid(t, torch.tensor([[0.0, 10.0, -10.0]])).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.7311, 0.2689]])

    References: Deep-RTC in the form of Valmadre, NeurIPS 2022, arXiv:2210.10929; the temperature is that code's.
    """

    @property
    def coherence(self) -> Coherence:
        return Coherence.NONE

    @cached_property
    def path_scores(self) -> Float[Tensor, "*batch node"]:
        """Sum of the scores on the path to every node; 0 at the root."""
        return ops.path_sum(pad(ops.at_least_float(self.node_logits), (1, 0)), self.taxonomy)

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return pad(ops.log_sigmoid(self.path_scores[..., 1:] / TEMPERATURE), (1, 0))

    def pooled_by(self, pooling: Pooling) -> PathSumSigmoid:
        whole = _pooled_logits(self.path_scores / TEMPERATURE, pooling) * TEMPERATURE
        above = whole[..., ops.tree_index(self.taxonomy, self.device).parents[1:]]
        ruled_out = above == -torch.inf
        steps = whole[..., 1:] - above.masked_fill(ruled_out, 0.0)
        return PathSumSigmoid(self.taxonomy, steps.masked_fill(ruled_out, -torch.inf))

    def tempered_by_level(self, temperature: Float[Tensor, " level"]) -> None:
        """None: the scores of nodes are not log-odds, but the steps of them."""

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self.path_scores[..., ops.tree_index(self.taxonomy, self.device).leaf_nodes]

    def sibling_scores(self) -> SiblingScores:
        return SiblingScores(self.scores, are_logits=True)  # the sigmoid of any large score is 1


def _pooled_logits(logits: Float[Tensor, "image k"], pooling: Pooling) -> Float[Tensor, "group k"]:
    """Logits of sigmoids whose two outcomes are pooled."""
    return pooling(ops.log_sigmoid(logits)) - pooling(ops.log_sigmoid(-logits))
