"""A softmax at one level, and a transition matrix from each level to the next."""

from __future__ import annotations

import dataclasses
import itertools
import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.level_softmax import LevelSoftmax, level_layout
from cladewise.predictions.prediction import HasTransitions, TransitionOrder, check_width
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.predictions.unsettled import UnsettledLevels
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionStep:
    """One transition, from the classes of one level (the sources) to those of the next (the targets)."""

    source_level: int
    target_level: int
    source_nodes: NDArray[np.int64]
    target_nodes: NDArray[np.int64]
    edges: ops.TransitionEdges
    """The source-target pairs of which one lies under the other."""
    columns: slice
    """Columns of the logits that hold its scores."""


class Walked(NamedTuple):
    """Log-probabilities of all levels, and the entropies of the transitions."""

    log_prob: dict[int, Float[Tensor, "image class"]]
    """Log-probabilities of every level that takes part."""
    negative_entropy: list[Float[Tensor, " image"]]
    """For each transition, the mean over its sources of the negative entropy, in nats."""


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionLayout:
    """The meaning of each logit of a :class:`LevelTransition`, in order.

    First the scores of the classes of one level: the finest, or with ``order="c2f"`` the coarsest that takes part.
    Then, for each transition to the next level, either a score for every pair, ``[source, target]``, or with a ``rank``
    the two factors of those, ``[source, rank]`` and ``[rank, target]``, and the bonus of the pairs that the tree has.
    Made by :func:`transition_layout`.
    """

    levels: tuple[int, ...]
    order: TransitionOrder
    rank: int | None
    first_level: int
    first_nodes: NDArray[np.int64]
    steps: tuple[TransitionStep, ...]

    @property
    def width(self) -> int:
        """Number of logits."""
        return self.steps[-1].columns.stop if self.steps else self.first_nodes.size

    @cached_property
    def logit_nodes(self) -> NDArray[np.int64]:
        """Source and target of each logit, -1 for none; ``[logit, 2]``."""
        parts = [_pairs(self.first_nodes, np.array([-1]))]
        for step in self.steps:
            if self.rank is None:
                parts.append(_pairs(step.source_nodes, step.target_nodes))
                continue
            left, right = np.repeat(step.source_nodes, self.rank), np.tile(step.target_nodes, self.rank)
            parts += [_pairs(left, np.array([-1])), _pairs(np.array([-1]), right), np.array([[-1, -1]])]
        return np.concatenate(parts)

    def walk(self, logits: Float[Tensor, "image out"]) -> Walked:
        """Log-probabilities of all levels, starting from the one that has its own softmax."""
        log_prob = logits[:, : self.first_nodes.size].log_softmax(-1)
        by_level, entropies = {self.first_level: log_prob}, []
        for step in self.steps:
            if self.rank is None:
                log_prob, entropy = ops.full_transition(log_prob, self.full(logits, step))
            else:
                log_prob, entropy = ops.low_rank_transition(log_prob, self.low_rank(logits, step, self.rank))
            by_level[step.target_level] = log_prob
            entropies.append(entropy)
        return Walked(by_level, entropies)

    def total(self, logits: Float[Tensor, "image out"], level: int) -> Float[Tensor, "coarse fine"]:
        """Sum over the images of the matrices between a level and the next finer one.

        Raises:
            InputError: The level takes no part, or is the finest.
        """
        step = next((s for s in self.steps if min(s.source_level, s.target_level) == level), None)
        if step is None:
            raise InputError(f"a level with a finer one among {', '.join(map(str, self.levels))}", level)
        if self.rank is None:
            total = ops.full_transition_sum(self.full(logits, step))
        else:
            total = ops.low_rank_transition_sum(self.low_rank(logits, step, self.rank))
        return total if step.source_level == level else total.mT

    def num_scores(self, step: TransitionStep) -> int:
        """Number of logits of a transition, not counting its bonus."""
        return step.columns.stop - step.columns.start - (self.rank is not None)

    def full(self, logits: Float[Tensor, "image out"], step: TransitionStep) -> Float[Tensor, "image source target"]:
        """The scores of a transition."""
        return logits[:, step.columns].unflatten(1, (step.source_nodes.size, step.target_nodes.size))

    def low_rank(self, logits: Float[Tensor, "image out"], step: TransitionStep, rank: int) -> ops.LowRank:
        """The factors of the scores of a transition."""
        sizes = [step.source_nodes.size * rank, step.target_nodes.size * rank, 1]
        left, right, bonus = logits[:, step.columns].split(sizes, dim=1)
        return ops.LowRank(left.unflatten(1, (-1, rank)), right.unflatten(1, (rank, -1)), bonus[:, 0], step.edges)


def transition_layout(
    taxonomy: Taxonomy,
    levels: tuple[int, ...] = (),
    order: str = "f2c",
    rank: int | None = None,
    device: torch.device | str = "cpu",
) -> TransitionLayout:
    """The layout for a taxonomy, built once and kept as long as the taxonomy lives.

    Raises:
        InputError: A level does not exist, they are not ascending, or the finest is not among them; there is no such
            order; the rank is not positive.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> transition_layout(t).width, transition_layout(t, rank=2).width  # 3 leaves, 2 families
        (9, 14)
        >>> transition_layout(t).logit_nodes.tolist()
        [[2, -1], [3, -1], [4, -1], [2, 1], [2, 4], [3, 1], [3, 4], [4, 1], [4, 4]]
    """
    chosen = levels or tuple(range(1, taxonomy.num_levels + 1))
    key = ("transitions", levels, order, rank, torch.device(device))
    return cached_for(taxonomy, key, lambda: _build(taxonomy, chosen, order, rank, device))


def _build(
    taxonomy: Taxonomy, levels: tuple[int, ...], order: str, rank: int | None, device: torch.device | str
) -> TransitionLayout:
    if order != "f2c" and order != "c2f":
        raise InputError("an order among f2c, c2f", repr(order))
    if rank is not None and rank < 1:
        raise InputError("a rank of at least 1", rank)
    nodes = dict(zip(levels, level_layout(taxonomy, levels), strict=True))
    along = levels if order == "c2f" else levels[::-1]
    first = nodes[along[0]] if along else np.zeros(0, dtype=np.int64)
    steps: list[TransitionStep] = []
    start = first.size
    for source, target in itertools.pairwise(along):
        coarse, fine = sorted((source, target))
        upper = np.searchsorted(nodes[coarse], taxonomy.at_level(coarse)[nodes[fine]])
        ends = [torch.tensor(end, device=device) for end in (np.arange(upper.size), upper)]
        edges = ops.TransitionEdges.of(*(ends if order == "f2c" else ends[::-1]), num_sources=nodes[source].size)
        sizes = nodes[source].size, nodes[target].size
        stop = start + (sizes[0] * sizes[1] if rank is None else sum(sizes) * rank + 1)
        steps.append(TransitionStep(source, target, nodes[source], nodes[target], edges, slice(start, stop)))
        start = stop
    return TransitionLayout(levels, order, rank, along[0] if along else 0, first, tuple(steps))


def _pairs(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """All pairs, the second varying fastest."""
    return np.stack([np.repeat(first, second.size), np.tile(second, first.size)], axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class LevelTransition(UnsettledLevels):
    r"""A softmax over the finest level, and the image's own matrix of transitions from each level to the one above.

    .. math:: \log p^{(k)}_i = \operatorname{LSE}_j \big(\log T^{(k)}_{ij} + \log p^{(k+1)}_j\big), \qquad
        T^{(k)}_{ij} = \operatorname{softmax}_i a^{(k)}_{ji}

    over the nodes of the extended levels that take part, numbered from the coarsest; the columns of a matrix sum to 1.
    With ``order="c2f"`` it is the coarsest level that has the softmax, and the matrices lead to finer ones. With a
    ``rank`` the scores are a product, of factors of every source and target, plus a bonus for the pairs that the tree
    has, :math:`a_{ji} = u_j \cdot v_i + \gamma\,[\text{one lies under the other}]`, and no matrix is ever formed.

    Nodes are read off the levels as :class:`LevelSoftmax` does, which :meth:`settled` gives.

    Args:
        taxonomy: The label tree.
        transition_logits: Scores; see :class:`TransitionLayout`.
        levels: The levels that take part, 1 for the coarsest; all of them where none are given. The finest always does.
        order: ``"f2c"`` or ``"c2f"``.
        rank: Rank of the scores of the transitions; ``None``: a score for every pair.

    Raises:
        InputError: The shape or a setting does not fit.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> same = torch.tensor([[9e3, 0], [9e3, 0], [0, 9e3]])  # b, c -> a; d -> d
        >>> prediction = LevelTransition(t, torch.cat([torch.zeros(3), same.flatten()])[None])
        >>> prediction.level_log_prob(1).log_prob.exp(), prediction.log_prob.exp()
        (tensor([[0.6667, 0.3333]]), tensor([[1.0000, 0.6667, 0.3333, 0.3333, 0.3333]]))

    References: Wang et al., Label hierarchy transition, arXiv:2112.02353. The released code has the factors (rank 2)
        and the bonus, and a constant that is omitted here because the softmax cancels it; the paper has one score per
        pair.
    """

    transition_logits: Float[Tensor, "*batch out"]
    levels: tuple[int, ...] = ()
    order: TransitionOrder = "f2c"
    rank: int | None = None

    def __post_init__(self) -> None:
        levels = tuple(self.levels) or tuple(range(1, self.taxonomy.num_levels + 1))
        object.__setattr__(self, "levels", levels)
        check_width(self.transition_logits, self.layout.width, "class of the first level and per score of a transition")

    @property
    def layout(self) -> TransitionLayout:
        """The meaning of the logits."""
        return transition_layout(self.taxonomy, self.levels, self.order, self.rank, self.transition_logits.device)

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.transition_logits

    @property
    def logit_nodes(self) -> Int[Tensor, "out role"]:
        return torch.tensor(self.layout.logit_nodes, device=self.device)

    def _settle(self) -> LevelSoftmax:
        by_level = self.layout.walk(self._rows).log_prob
        levels = torch.cat([by_level[level] for level in self.levels] or [self._rows], dim=-1)
        return LevelSoftmax(self.taxonomy, levels.reshape(*self.batch_shape, levels.shape[-1]), self.levels)

    @property
    def _rows(self) -> Float[Tensor, "image out"]:
        return ops.at_least_float(self.transition_logits).reshape(math.prod(self.batch_shape), self.layout.width)

    @property
    def transitions(self) -> HasTransitions:
        return self

    def transition_sum(self, level: int) -> Float[Tensor, "coarse fine"]:
        """Sum over the images of the matrices between a level and the next finer one that takes part.

        The matrix leads from the finer level to the coarser one, and its columns sum to the number of images; with
        ``order="c2f"`` it leads to the finer one, and its rows do.

        Example:
            >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
            >>> LevelTransition(t, torch.zeros(6, 14), rank=2).transition_sum(1)
            tensor([[3., 3., 3.],
                    [3., 3., 3.]])
        """
        return self.layout.total(self._rows, level)
