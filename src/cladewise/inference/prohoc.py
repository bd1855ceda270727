"""ProHOC: a classifier per level, and probability that each node keeps for classes unknown under it."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.predictions import NodeSoftmax, Prediction
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class ProHOC(Inference):
    r"""The softmaxes of all levels as one distribution over all nodes; what an inner node owns is unknown under it.

    Each level is read as the probability of a child given its parent :math:`v`, and what is missing to 1 as the
    probability of a class under :math:`v` that is not among its children. With the sum
    :math:`S_v = \sum_{c \in C(v)} p_c` of the children's probabilities at their level and the entropy :math:`H_v`, in
    nats, of :math:`p_c / S_v`:

    .. math::
        q_{c | v} &= p_c, & q_{\text{new} | v} &= 1 - S_v & &\text{(complement)} \\
        q_{c | v} &= \frac{p_c}{S_v + H_v}, & q_{\text{new} | v} &= \frac{H_v}{S_v + H_v} &
        &\text{(entropy-complement)}

    A node with one representative at the next level passes everything on to it. The products along the paths are a
    :class:`~cladewise.predictions.NodeSoftmax` in which inner nodes own :math:`q_v\, q_{\text{new} | v}`. The root owns

    .. math:: q_{\text{new} | \text{root}} = \beta H / (1 + \beta H)

    with the entropy :math:`H` of the finest level, in nats, and :math:`\beta` = ``root``, apart from what it owns
    where some of its children skip the coarsest level.

    Decisions after it: ``exclusive-mass`` is the paper's most probable node. Its node with the least expected
    number of edges to the truth is ``majority``: going down to :math:`c` changes the expectation by
    :math:`1 - 2 q_c`, where :math:`q_c` is the probability at or under :math:`c`.

    Made for heads with a softmax per level, trained one by one in the paper as separate networks. Others give the
    log-probabilities of their levels.

    Args:
        form: How what is missing is measured: ``"entropy-complement"`` or ``"complement"``.
        root: Weight :math:`\beta` of an image that belongs to no known class at all, at least 0; the paper uses 1 if
            there are such images.

    Raises:
        InputError: There is no such form, or the weight is negative.

    Example:
        >>> from cladewise.predictions import LevelSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> p = LevelSoftmax(t, torch.tensor([[0.8, 0.2, 0.3, 0.3, 0.2, 0.2]]).log())
        >>> ProHOC("complement")(p).own_log_prob.exp()
        tensor([[0.0000, 0.3200, 0.2400, 0.2400, 0.1200, 0.0400, 0.0400]])

    References: Wallin, Kahl and Hammarstrand, ProHOC: probabilistic hierarchical out-of-distribution classification via
        multi-depth networks, CVPR 2025, arXiv:2503.21397: CompProb and EntCompProb. The authors' code adds 1e-12 to
        probabilities; this computes in log space. A node that a level repeats for children that skip it is its own
        parent there, as a leaf is in theirs.
    """

    name: ClassVar[str] = "prohoc"

    form: Literal["entropy-complement", "complement"] = "entropy-complement"
    root: float = 0.0

    def __post_init__(self) -> None:
        if self.form not in ("entropy-complement", "complement"):
            raise InputError("a form: entropy-complement, complement", repr(self.form))
        if not 0 <= self.root < float("inf"):
            raise InputError("a weight of the root of at least 0", self.root)

    def __call__(self, prediction: Prediction) -> NodeSoftmax:
        taxonomy, levels = prediction.taxonomy, prediction.own_levels
        if not levels:
            return NodeSoftmax(taxonomy, prediction.log_prob)
        above, reached = prediction.level_log_prob(levels[0])
        reached = ops.at_least_float(reached).log_softmax(-1)
        nodes, masses, finest = list[Tensor](), list[Tensor](), reached
        for coarse, level in itertools.pairwise(levels):
            here, log_prob = prediction.level_log_prob(level)
            finest = ops.at_least_float(log_prob).log_softmax(-1)
            parent = _parents(taxonomy, here, above, (coarse, level))
            known, new = _given_parent(finest, parent, len(above), with_entropy=self.form != "complement")
            nodes.append(above)
            masses.append(reached + new)
            above, reached = here, reached.index_select(-1, parent) + known
        own = ops.grouped_logsumexp(
            torch.cat([*masses, reached], -1), torch.cat([*nodes, above]), taxonomy.num_nodes
        ).log_softmax(-1)
        if self.root:
            unknown = self.root * _entropy(finest).sum(-1, keepdim=True)
            at_root = ops.log_add(own[..., :1], _log(unknown))
            own = torch.cat([at_root, own[..., 1:]], -1) - ops.log1p(unknown)
        return NodeSoftmax(taxonomy, own)


def _given_parent(
    log_prob: Float[Tensor, "*batch child"], parent: Int[Tensor, " child"], num_parents: int, *, with_entropy: bool
) -> tuple[Float[Tensor, "*batch child"], Float[Tensor, "*batch parent"]]:
    """Log-probabilities of the children given their parent, and of none of them given the parent."""
    together = ops.grouped_logsumexp(log_prob, parent, num_parents)
    if with_entropy:
        share = log_prob - together.clamp_min(torch.finfo(log_prob.dtype).min).index_select(-1, parent)
        spread = torch.zeros_like(together).index_add(-1, parent, _entropy(share))
        whole = ops.log_add(together.clamp_min(torch.finfo(log_prob.dtype).min), _log(spread))
        known, new = log_prob - whole.index_select(-1, parent), _log(spread) - whole
    else:
        known, new = log_prob, _log(-ops.expm1(together))
    ones = torch.ones_like(parent, dtype=log_prob.dtype)
    single = ones.new_zeros(num_parents).index_add(0, parent, ones) == 1
    return known.masked_fill(single[parent], 0.0), new.masked_fill(single, -torch.inf)


def _entropy(log_prob: Tensor) -> Tensor:
    """Term of the entropy of each probability, in nats."""
    return torch.where(log_prob > -torch.inf, -log_prob.exp() * log_prob.clamp_min(torch.finfo(log_prob.dtype).min), 0)


def _log(value: Tensor) -> Tensor:
    """Logarithm, of at least the smallest normal number, so that gradients are finite."""
    return value.clamp_min(torch.finfo(value.dtype).tiny).log()


def _parents(taxonomy: Taxonomy, here: Tensor, above: Tensor, levels: tuple[int, int]) -> Int[Tensor, " child"]:
    """Place among the nodes of the coarser of two levels of the representative of each node of the finer one."""
    key = ("places at a coarser level", levels, here.device)

    def places() -> Tensor:
        representative = taxonomy.at_level(levels[0])[here.cpu().numpy()]
        return torch.as_tensor(np.searchsorted(above.cpu().numpy(), representative), device=here.device)

    return cached_for(taxonomy, key, places)
