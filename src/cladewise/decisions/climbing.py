"""Climbing from the best leaf to the first node that is probable enough."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.catalogue import fitted
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.fitting import check_targets, fitted_number, not_fitted
from cladewise.decisions.pareto import ParetoSequence
from cladewise.decisions.parts import images_at_once, in_parts
from cladewise.ops import ancestors, lca, tree_index
from cladewise.predictions import Prediction
from cladewise.statistics import conformal_rank, images_for_coverage


@dataclasses.dataclass(frozen=True)
class Climbing(Decision):
    r"""The lowest node above the most probable leaf whose probability exceeds a threshold that meets a guarantee.

    Where no node on the path does, the answer is the root. In a coherent head and above one half it is the rule of
    :class:`~cladewise.decisions.Threshold`, which below one half also finds nodes on other paths.

    :meth:`fit` needs no search: an image is answered right from the threshold on at which its answer climbs to a node
    at or above the label, which is the largest probability of the nodes below that one. If the threshold is one of the
    *n* calibration images' such probabilities, the share of right answers is known to exceed the guarantee

    - with the given ``confidence``, if its rank is :math:`\min \{k : P(\operatorname{Bin}(n, g) < k) \ge c\}`; or
    - on average over calibration sets, if it is :math:`\lceil (n + 1)\, g \rceil` and ``confidence=none``, as in
      the paper, which also bounds how far a single calibration set may be off.

    It holds for any head, coherent or not: with a higher threshold no answer becomes wrong. Without enough images the
    answer is the root, with a warning.

    Args:
        guarantee: Share of right answers to be held, in (0, 1).
        confidence: Probability over calibration sets with which it is held, in (0, 1); ``None`` for the average.
        threshold: Log-probability that the node has to exceed; fitted on the validation split, unless it is given.

    Raises:
        InputError: The guarantee or confidence is not in (0, 1); or the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.35, 0.25, 0.4], [0.5, 0.3, 0.2]]).log())
        >>> [Climbing(threshold=math.log(x))(p).node.tolist() for x in (0.3, 0.6, 0.9)]
        [[4, 2], [0, 1], [0, 0]]

    References:
        Goren, Galil and El-Yaniv, Hierarchical selective classification, NeurIPS 2024, arXiv:2405.11533, sections 3
        and 4. The released code takes an interpolated quantile (``numpy.quantile``), which is below the rank of
        the paper, and adds a millionth of the way to the next probability to each; here a node has to exceed the
        threshold strictly. It calibrates probabilities by temperature scaling first; here they are used as they are.
    """

    name: ClassVar[str] = "climbing"
    fits_on: ClassVar[str] = "val"

    guarantee: float = 0.9
    confidence: float | None = 0.95
    threshold: float | None = fitted()

    def __post_init__(self) -> None:
        conformal_rank(1, self.guarantee, self.confidence)  # checks both

    @property
    def is_fitted(self) -> bool:
        """Whether the threshold is known."""
        return self.threshold is not None

    @property
    def promise(self) -> float:
        """The share of right answers to be held."""
        return self.guarantee

    def __call__(self, prediction: Prediction) -> Nodes:
        if self.threshold is None:
            raise not_fitted(self.name, self.fits_on)
        return Nodes.of(prediction, torch.cat([_climbed(part, self.threshold) for part in in_parts(prediction)]))

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The threshold, a log-probability."""
        return {"threshold": fitted_number(self.threshold, self.name, self.fits_on)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        path = ancestors(prediction.best_leaf().node, prediction.taxonomy)
        log_prob = prediction.log_prob_of(path.clamp_min(0))
        reached = (path >= 0) & (log_prob.double() > numbers["threshold"])
        depth = torch.arange(path.shape[1], device=path.device)
        lowest = torch.where(reached, depth, 0).amax(1, keepdim=True)
        return Nodes.of(prediction, path.gather(1, lowest).squeeze(1))

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the least threshold that meets the guarantee, given these images.

        Args:
            prediction: Of images that the model was not trained on.
            target: Their true nodes; inner ones are allowed.

        Raises:
            InputError: There are no images, or the shapes differ.
        """
        check_targets(prediction, target)
        labels = target.reshape(-1).to(prediction.device).split(images_at_once(prediction.taxonomy))
        right_above = torch.cat([_right_above(part, of) for part, of in zip(in_parts(prediction), labels, strict=True)])
        rank = conformal_rank(len(right_above), self.guarantee, self.confidence)
        if rank is None:
            needed = images_for_coverage(self.guarantee, self.confidence)
            warnings.warn(
                f"{self.name} cannot promise an accuracy of {self.guarantee:g} below the root: "
                f"{'1 image is' if len(right_above) == 1 else f'{len(right_above):,} images are'} too few. "
                f"It takes {needed:,}.",
                stacklevel=2,
            )
        threshold = math.inf if rank is None else right_above.sort().values[rank - 1].item()
        return dataclasses.replace(self, threshold=threshold)


def climbing_sequence(prediction: Prediction) -> ParetoSequence:
    """The answers of :class:`Climbing` to each image at all thresholds, from the root towards its most probable leaf.

    These are the nodes on the path that are more probable than all nodes below them, which of a coherent head are all
    but the parents whose only child has all of their probability.

    Args:
        prediction: Of any kind.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> climbing_sequence(LeafSoftmax(t, torch.tensor([[0.35, 0.25, 0.4], [0.5, 0.3, 0.2]]).log())).node
        tensor([0, 4, 0, 1, 2])
    """
    parts = [_sequence(part) for part in in_parts(prediction)]
    return ParetoSequence.cat(parts)


class _Path(NamedTuple):
    """The path to the most probable leaf of each image, by depth; beyond the leaf the nodes are -1."""

    node: Int[Tensor, "image depth"]
    log_prob: Float[Tensor, "image depth"]
    below: Float[Tensor, "image depth"]
    """Largest log-probability of the nodes below on the path; -inf for the leaf."""


def _path(part: Prediction) -> _Path:
    node = ancestors(part.best_leaf().node, part.taxonomy)
    log_prob = part.log_prob_of(node.clamp_min(0)).masked_fill(node < 0, -torch.inf)
    from_below = log_prob.flip(1).cummax(1).values.flip(1)
    below = torch.cat([from_below[:, 1:], torch.full_like(from_below[:, :1], -torch.inf)], 1)
    return _Path(node, log_prob, below)


def _climbed(part: Prediction, threshold: float) -> Int[Tensor, " image"]:
    path = _path(part)
    reached = path.log_prob > threshold
    depth = torch.arange(path.node.shape[1], device=part.device)
    lowest = torch.where(reached & (path.node >= 0), depth, 0).amax(1)
    return path.node.gather(1, lowest[:, None]).squeeze(1)


def _right_above(part: Prediction, target: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
    """Log-probability that the threshold has to reach for the answer to be the label or above it."""
    path, taxonomy = _path(part), part.taxonomy
    meeting = lca(part.best_leaf().node, target, taxonomy)
    return path.below.gather(1, tree_index(taxonomy, target.device).depth[meeting][:, None]).squeeze(1)


def _sequence(part: Prediction) -> ParetoSequence:
    path = _path(part)
    kept = (path.node >= 0) & (path.log_prob > path.below)
    lengths = kept.sum(1)
    offsets = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
    return ParetoSequence(path.node[kept], path.log_prob[kept].float().clamp_max(0.0), offsets)
