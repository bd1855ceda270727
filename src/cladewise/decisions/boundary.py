"""All labels above a probability boundary that maximises F1."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.catalogue import fitted
from cladewise.decisions.decision import Decision, LabelSets
from cladewise.decisions.fitting import check_targets, fitted_number, not_fitted
from cladewise.decisions.parts import images_at_once
from cladewise.errors import InputError
from cladewise.ops import at_levels, speaks, tree_index
from cladewise.predictions import Prediction

Kind = Literal["global", "per-class"]
CELLS_AT_ONCE = 1 << 22
"""Approximate number of (image, node) cells processed at a time, 16 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Boundary(Decision):
    r"""All nodes but the root with a log-probability at or above a boundary: any set of labels, possibly empty.

    .. math:: \hat{S} = \{v \neq \text{root} : \log p_v \ge \beta_v\}

    :meth:`fit` chooses the boundary with the best F1 on other images. The labels of an image are those that
    :class:`~cladewise.metrics.LabelCounts` counts, but for the root: the nodes that represent it at the levels that its
    label speaks of. The best boundary is always the log-probability of a label that an image has; of several that are
    equally good it is the lowest.

    Args:
        kind: ``"global"``, one boundary for all labels, best for micro F1 (the paper's "one-fits-all"); or
            ``"per-class"``, one for each, best for that label's F1. A label that no image has cannot tell, and takes
            the global one.
        fits_on: Split that a run fits the rule on. ``"5-fold"`` means the training images, each scored by a network
            that was trained without it: for validation splits that lack some classes.
        boundary: The fitted log-probability: one number, or one for each node.

    Raises:
        InputError: There is no such kind, or the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import NodeSigmoid
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> seen = NodeSigmoid(t, torch.tensor([[1.0, -1.0], [0.5, 2.0], [-3.0, 0.0]]))
        >>> rule = Boundary().fit(seen, torch.tensor([1, 1, 2]))
        >>> rule(seen).chosen.long()
        tensor([[0, 1, 0],
                [0, 1, 1],
                [0, 0, 1]])

    References: Dhall et al., Hierarchical image classification using entailment cone embeddings, CVPR workshops 2020,
        arXiv:2004.03459, appendix 7.4 (OFADB and PCDB). The released code takes the lowest score of all for a label
        that no validation image has, which says that label of nearly every image.
    """

    name: ClassVar[str] = "boundary"

    kind: Kind = "global"
    fits_on: str = "val"
    boundary: float | Tensor | None = fitted()  # noqa: RUF009 -- it is a field

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"a boundary: {', '.join(get_args(Kind))}", repr(self.kind))

    @property
    def is_fitted(self) -> bool:
        """Whether the boundary is known."""
        return self.boundary is not None

    def __call__(self, prediction: Prediction) -> LabelSets:
        if self.boundary is None:
            raise not_fitted(self.name, self.fits_on)
        log_prob = prediction.log_prob
        bar = self.boundary.to(log_prob) if isinstance(self.boundary, Tensor) else self.boundary
        chosen = log_prob >= bar
        chosen[..., 0] = False  # everything lies under the root
        return LabelSets(chosen, log_prob)

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The boundary, a log-probability: one, or one per node."""
        return {"boundary": fitted_number(self.boundary, self.name, self.fits_on)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> LabelSets:
        log_prob = prediction.log_prob
        below_root = tree_index(prediction.taxonomy, prediction.device).depth > 0
        return LabelSets((log_prob >= numbers["boundary"].to(log_prob.dtype)) & below_root, log_prob)

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the boundary that maximises F1 on these images.

        Args:
            prediction: Of images that the model was not trained on.
            target: Their true nodes; inner ones are allowed.

        Raises:
            InputError: No image is labelled below the root, or the shapes differ.
        """
        check_targets(prediction, target)
        labels = target.reshape(-1).to(prediction.device)
        if not (labels > 0).any():
            raise InputError(
                "images with a label below the root", f"none among {len(labels)}", advice="F1 needs a label to find."
            )
        images = prediction.map(lambda x: x.reshape(len(labels), *x.shape[target.ndim :]))
        nodes = torch.arange(images.taxonomy.num_nodes, device=labels.device)
        overall = float(_best_boundaries(images, labels, torch.zeros_like(nodes)))
        if self.kind == "global":
            return dataclasses.replace(self, boundary=overall)
        by_node = _best_boundaries(images, labels, nodes)
        return dataclasses.replace(self, boundary=torch.where(by_node.isnan(), overall, by_node))


def _best_boundaries(
    images: Prediction, target: Int[Tensor, " image"], group: Int[Tensor, " node"]
) -> Float[Tensor, " group"]:
    """The boundary of each group of nodes with the best F1 of their labels pooled; NaN where no image has one."""
    steps = _Steps.of([_true_labels(part, labels) for part, labels in _parts(images, target)], group)
    said = torch.zeros(steps.num_places, dtype=torch.int64, device=target.device)
    for part, labels in _parts(
        images, target
    ):  # a second pass, so that only one part's log-probabilities are in memory
        for log_prob, node in _all_labels(part, labels):
            said += steps.place(log_prob, group[node].expand_as(log_prob)).bincount(minlength=steps.num_places)
    return steps.best(said)


def _parts(images: Prediction, target: Int[Tensor, " image"]) -> Iterator[tuple[Prediction, Int[Tensor, " image"]]]:
    at_once = images_at_once(images.taxonomy, CELLS_AT_ONCE)
    for start in range(0, len(target), at_once):
        yield images[start : start + at_once], target[start : start + at_once]


def _true_labels(part: Prediction, target: Int[Tensor, " image"]) -> tuple[Tensor, Tensor]:
    """Log-probability and node of all labels that the images have."""
    nodes, told = at_levels(target, part.taxonomy), speaks(target, part.taxonomy)
    told &= nodes > 0  # the root, which stands for children that skip the first level, is never said
    return part.log_prob.gather(1, nodes)[told], nodes[told]


def _all_labels(part: Prediction, target: Int[Tensor, " image"]) -> Iterator[tuple[Tensor, Tensor]]:
    """Per level: log-probabilities of its labels for the images whose label reaches the level, and the nodes."""
    told = speaks(target, part.taxonomy)
    for level in range(part.taxonomy.num_levels):
        nodes = torch.tensor(part.taxonomy.level_nodes(level + 1), device=target.device)
        nodes = nodes[nodes > 0]
        yield part.log_prob[told[:, level]][:, nodes], nodes


@dataclasses.dataclass(frozen=True, eq=False)
class _Steps:
    """The labels that images have, by group and then by log-probability: the candidate boundaries.

    Lowering a boundary between two of them adds labels that are wrong and none that is right, so no other can be.
    """

    log_prob: Float[Tensor, " step"]
    group: Int[Tensor, " step"]
    key: Int[Tensor, " step"]
    distinct: Float[Tensor, " value"]
    num_groups: int

    @classmethod
    def of(cls, labels: list[tuple[Tensor, Tensor]], group: Int[Tensor, " node"]) -> _Steps:
        log_prob, of = torch.cat([values for values, _ in labels]), group[torch.cat([nodes for _, nodes in labels])]
        distinct, rank = log_prob.unique(return_inverse=True)
        key, order = (of * (len(distinct) + 1) + rank + 1).sort()
        return cls(log_prob[order], of[order], key, distinct, int(group.max()) + 1)

    @property
    def num_places(self) -> int:
        """Number of intervals between, below and above the steps of all groups."""
        return len(self.key) + self.num_groups

    def place(self, log_prob: Float[Tensor, "*label"], group: Int[Tensor, "*label"]) -> Int[Tensor, " place"]:
        """Interval in which each label lies among the steps of its group: it is predicted from the step below on."""
        at_most = torch.searchsorted(self.distinct, log_prob.flatten(), right=True)
        of = group.flatten()
        return torch.searchsorted(self.key, of * (len(self.distinct) + 1) + at_most, right=True) + of

    def best(self, said: Int[Tensor, " place"]) -> Float[Tensor, " group"]:
        """The lowest of each group's best boundaries; ``said`` counts the labels in each interval."""
        step = torch.arange(len(self.key), device=said.device)
        size = self.group.bincount(minlength=self.num_groups)
        end = size.cumsum(0)[self.group]
        from_place = torch.cat([said.flip(0).cumsum(0).flip(0), said.new_zeros(1)])
        told = from_place[step + self.group + 1] - from_place[end + self.group + 1]
        f1 = 2 * (end - step).double() / (told + size[self.group])
        most = f1.new_full((self.num_groups,), -1.0).scatter_reduce(0, self.group, f1, "amax")
        winners = torch.where(f1 == most[self.group], step, len(step))
        first = size.new_full((self.num_groups,), len(step)).scatter_reduce(0, self.group, winners, "amin")
        return torch.cat([self.log_prob, self.log_prob.new_full((1,), torch.nan)])[first]
