"""Temperature scaling on a tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from cladewise import ops
from cladewise.calibration.calibrator import By, learnt_alone, parts, warn_if_few
from cladewise.errors import InputError
from cladewise.predictions import CappedSigmoid, Coherence, LeafSoftmax, NodeSoftmax, Prediction, SiblingSoftmax

WIDEST = 7.0
"""Largest absolute log-temperature that is tried: temperatures from 0.0009 to 1097."""

_WITH_MASS = (Coherence.EXACT, Coherence.SUPERADDITIVE)


def at_temperature(prediction: Prediction, temperature: Float[Tensor, "*shape"]) -> Prediction:
    r"""A prediction at one temperature, or at one for each level.

    With one temperature the leaves' scores are divided by it and summed up the tree, so that the result is coherent
    whatever the head is, and leaves keep their order (:meth:`~cladewise.predictions.Prediction.leaf_scores`):

    .. math:: \log p_v = \operatorname{LSE}_{l \in B(v)} z_l / T - \operatorname{LSE}_l z_l / T

    If internal nodes have mass of their own, that of all nodes is tempered, and they keep their order too.

    With a temperature per level the form of the head stays:

    - coherent heads: what a node has is shared among its children, and itself if it has mass of its own, in proportion
      to :math:`(p_c / p_v)^{1 / T_k}`, with *k* the level below the node; the result is as coherent as the head. The
      best child of every node stays, but not necessarily the best leaf;
    - a softmax per level, or a sigmoid per node: the scores of each level are divided by its temperature;
    - other heads: the log-odds of each node are divided by the temperature of its level. No node is then more probable
      than its parent (:class:`~cladewise.predictions.CappedSigmoid`).

    Args:
        prediction: Of any kind.
        temperature: One number, or one per level, above 0; higher ones are less sure.

    Raises:
        InputError: The number of temperatures is not that of the levels.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sure = LeafSoftmax(t, torch.tensor([[0.64, 0.16, 0.2]]).log())
        >>> at_temperature(sure, torch.tensor(2.0)).log_prob.exp()
        tensor([[1.0000, 0.7285, 0.4857, 0.2428, 0.2715]])
        >>> at_temperature(sure, torch.tensor([1.0, 2.0])).log_prob.exp()
        tensor([[1.0000, 0.8000, 0.5333, 0.2667, 0.2000]])
    """
    prediction, temperature = prediction.settled(), temperature.to(prediction.device)
    if temperature.ndim == 0:
        return _all_at(prediction, temperature)
    if len(temperature) != prediction.taxonomy.num_levels:
        raise InputError(f"a temperature for each of {prediction.taxonomy.num_levels} levels", len(temperature))
    if prediction.coherence in _WITH_MASS:
        return _shared_at(prediction, temperature)
    by_level = prediction.tempered_by_level(temperature)
    if by_level is not None:
        return by_level
    taxonomy = prediction.taxonomy
    levels = ops.tree_index(taxonomy, prediction.device).level[1:] - 1
    return CappedSigmoid(taxonomy, ops.tempered(ops.log_odds(prediction.log_prob[..., 1:]), temperature[levels]))


def _all_at(prediction: Prediction, temperature: Float[Tensor, ""]) -> Prediction:
    if prediction.coherence is Coherence.SUPERADDITIVE:
        return NodeSoftmax(prediction.taxonomy, ops.tempered(prediction.own_log_prob, temperature))
    return LeafSoftmax(prediction.taxonomy, ops.tempered(prediction.leaf_scores(), temperature))


def _shared_at(prediction: Prediction, temperature: Float[Tensor, " level"]) -> Prediction:
    """Shares of siblings, and of the node itself if it has mass of its own, at the temperature of their level."""
    taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
    index = ops.tree_index(taxonomy, prediction.device)
    above = index.parents[1:]
    of_node = temperature.new_ones(1) if not len(temperature) else temperature
    of_node = of_node[index.level.clamp_max(len(of_node) - 1)]  # that of the level below each node
    children = ops.tempered(_shares(log_prob[..., 1:], log_prob[..., above]), of_node[above])
    if prediction.coherence is Coherence.EXACT:
        return SiblingSoftmax(taxonomy, children)
    own = ops.tempered(_shares(prediction.own_log_prob, log_prob), of_node)
    group = torch.cat([above, torch.arange(taxonomy.num_nodes, device=prediction.device)])
    total = ops.grouped_logsumexp(torch.cat([children, own], -1), group, taxonomy.num_nodes)
    steps = pad(children - total[..., above], (1, 0))
    return NodeSoftmax(taxonomy, ops.path_sum(steps, taxonomy) + own - total)


def _shares(part: Float[Tensor, "*batch k"], whole: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch k"]:
    """Logs of shares; those of nothing are equal."""
    nothing = whole == -torch.inf
    return torch.where(nothing, torch.zeros_like(part), part - whole.masked_fill(nothing, 0.0))


def label_nats(prediction: Prediction, target: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
    r"""Proper score of a prediction, in nats per image, that a temperature minimises.

    For heads with mass it is :math:`-\log p` of the label, which may be an internal node. Other heads say how sure they
    are of each level: there it is the sum, over the levels about which the label says something, of the log loss of the
    level's most probable node, :math:`-\log p` if it is right and :math:`-\log(1 - p)` otherwise.

    Args:
        prediction: Of any kind, one batch axis.
        target: Node of each label.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.5, 0.25, 0.25]]).log())
        >>> label_nats(p, torch.tensor([1])).neg().exp()
        tensor([0.7500])
    """
    if prediction.coherence in _WITH_MASS:
        return -prediction.log_prob_of(target[:, None]).squeeze(-1)
    taxonomy = prediction.taxonomy
    wanted, counted = ops.at_levels(target, taxonomy), ops.speaks(target, taxonomy)
    total = prediction.log_prob.new_zeros(len(target))
    for k in range(taxonomy.num_levels):
        nodes, log_prob = prediction.level_log_prob(k + 1)
        best, place = log_prob.max(-1)
        right = nodes[place] == wanted[:, k]
        loss = -torch.where(right, best, ops.log_complement(best))
        total = total + loss.where(counted[:, k], torch.zeros_like(loss))
    return total


@dataclasses.dataclass(frozen=True)
class Temperature:
    r"""Temperatures that minimise :func:`label_nats`, with a normal prior on their logarithm.

    .. math:: \hat{T} = \arg\min_T \sum_i \ell_i(T) + \tfrac{1}{2} \sum_k (\log T_k)^2

    The prior counts as much as a single image, and decides only where the labels do not: if every answer is right, no
    finite temperature is too low. Images whose label an earlier rule excluded are left out.

    References: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, without the prior.
    """

    def fit(self, prediction: Prediction, target: Int[Tensor, " image"], by: By) -> Float[Tensor, "*shape"]:
        """One temperature, or one per level; a level with few labels has that of all levels.

        Raises:
            InputError: No image has a label that the prediction allows.
        """
        prediction, taxonomy = prediction.settled(), prediction.taxonomy
        possible = torch.cat([label_nats(part, labels).isfinite().cpu() for part, labels in parts(prediction, target)])
        if not bool(possible.any()):
            raise InputError("a labelled image whose label is possible", "none")
        prediction, target = prediction[possible.to(prediction.device)], target[possible.to(target.device)]
        warn_if_few(len(target))
        if by == "all" or not taxonomy.num_levels:
            found = _least(lambda x: x[0], prediction, target, np.zeros(1))
            return torch.tensor(found[0], dtype=torch.float64).exp()
        alone = torch.as_tensor(learnt_alone(target, taxonomy, "temperature"))
        shared = np.zeros(1)
        if not bool(alone.all()):
            shared = _least(lambda x: x.expand(taxonomy.num_levels), prediction, target, shared)
        at_rest = torch.full((taxonomy.num_levels,), float(shared[0]), dtype=torch.float64)
        found = _least(lambda x: torch.where(alone, x, at_rest), prediction, target, at_rest.numpy())
        return torch.where(alone, torch.as_tensor(found), at_rest).exp()

    def apply(self, prediction: Prediction, parameters: Float[Tensor, "*shape"]) -> Prediction:
        """The prediction at the temperatures."""
        return at_temperature(prediction, parameters)


def _least(
    spread: Callable[[Tensor], Tensor], prediction: Prediction, target: Tensor, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log-temperatures of least loss; ``spread`` turns the free ones into those of :func:`at_temperature`."""
    from scipy.optimize import minimize

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        free = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        total, slope = float(values @ values) / 2, values.copy()
        for part, labels in parts(prediction, target):
            temperature = spread(free).exp().to(part.device)
            nats = label_nats(at_temperature(part, temperature), labels).double().sum()
            total += float(nats.detach())
            if nats.requires_grad:
                slope += torch.autograd.grad(nats, free)[0].numpy()
        return total / len(target), slope / len(target)

    with torch.inference_mode(False), torch.enable_grad():
        detached = prediction.map(lambda value: value.detach().clone())
        prediction = detached
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=[(-WIDEST, WIDEST)] * len(start), options={"ftol": 1e-10}
        )
    return np.asarray(found.x, dtype=np.float64)
