"""Base class of rules that are as cautious as a guaranteed accuracy requires."""

from __future__ import annotations

import dataclasses
import math
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.catalogue import fitted, named, options_of, pairs
from cladewise.decisions.candidates import candidates, log_bar, says_something
from cladewise.decisions.caution import MOST_CAUTIOUS, Steps, Weighed, at_only_children, weigh
from cladewise.decisions.decision import Decision, Nodes, Promise
from cladewise.decisions.dense_caution import WeighedAll, at_only_children_of, weigh_all
from cladewise.decisions.fitting import check_targets, not_fitted
from cladewise.decisions.parts import in_parts
from cladewise.decisions.walk import Walk, right_by
from cladewise.errors import InputError
from cladewise.ops import TreeIndex, at_levels, tree_index
from cladewise.predictions import Prediction
from cladewise.statistics import clopper_pearson_lower, trials_needed
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import one_level

CELLS_AT_ONCE = 1 << 22
"""Approximate number of (image, node) cells processed at a time, 16 MB in single precision."""
NAMED_GROUPS = 5
"""Largest number of groups that a warning names."""


@dataclasses.dataclass(frozen=True)
class Guaranteed(Decision):
    r"""A rule with a caution parameter: with more of it, answers are nearer to the root.

    An answer is right if the label lies at or under it. The contract of a fitted rule is

        *With confidence 95%, over the draw of the images that it was fitted on, at least a share g of its answers is
        right on images drawn like them.*

    :meth:`fit` tests every caution, from the greatest, at which all answers are the root, down to the least. At each,
    the hypothesis that fewer than a share g of the answers is right is tested by the exact binomial test at level 5%;
    the first that is not rejected ends the sequence, and the least caution before it is used. The contract holds for
    any scores, calibrated or not, and also if accuracy does not rise with caution
    (:func:`cladewise.statistics.fixed_sequence`). The root is always right and needs no test. It takes
    :math:`\log(1 - c) / \log g` labelled images, all answered correctly, to promise anything below it: 29 for 0.9, 299
    for 0.99.

    **By level.** ``by_level={"family": 0.99}`` promises in addition that at least that share of the answers is right at
    that level: a finer answer counts as its ancestor there, a coarser one as itself. Both promises hold at once with
    the same confidence and without a correction: at each caution the hypothesis is that *some* promise is broken, and
    it is rejected if every promise's own test rejects.

    **By group.** ``per="order"`` makes the promises for the images of each order on their own, by a caution of its own.
    The group of an image is the order of its most probable leaf, a function of the scores that is fixed in advance.
    All promises hold at once with the given confidence: each of the m groups that have enough images is tested at
    level 5% / m (Bonferroni). Given the sizes of the groups, the images of each are a sample of that group, so that
    m, which depends on the sizes alone, may be chosen by them. The other groups are answered with the root; with
    ``rest="together"`` they share one caution and one promise, for all of their images.

    Args:
        guarantee: The share g of right answers, in [0, 1).
        caution: The fitted caution; may be given instead, and then nothing is promised.
        confidence: The confidence, in (0, 1).
        per: Level whose nodes are promised the guarantee each; empty for one promise for all images.
        rest: Answers for groups with too few images: ``"root"``, or ``"together"`` for one promise for all of them.
        by_level: Shares of right answers by level, by name or number.
        cautions: What was fitted, in the scale of the rule's own steps, one per group.
        pooled: Which groups share a promise.
        fitted_tree: Identifies the taxonomy of ``cautions`` by group.

    References:
        Angelopoulos et al., Learn then test, arXiv:2110.01052. Deng et al., Hedging your bets, CVPR 2012, instead
        bisect for the caution at which a lower bound of the accuracy meets the guarantee, which is no test at a given
        level where accuracy is not monotone.
    """

    fits_on: ClassVar[str] = "val"

    guarantee: float = 0.9
    caution: float | None = fitted()
    confidence: float = 0.95
    per: str = ""
    rest: Literal["root", "together"] = "root"
    by_level: tuple[tuple[str, float], ...] = named("level")
    cautions: Tensor | None = fitted()  # noqa: RUF009 -- it is a field
    pooled: Tensor | None = fitted()  # noqa: RUF009 -- it is a field
    fitted_tree: int | None = fitted()

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_level", pairs(self.by_level))
        for share in (self.guarantee, *dict(self.by_level).values()):
            if not 0 <= share < 1:
                raise InputError("a guarantee in [0, 1)", share, advice="0.9 means right for nine images out of ten.")
        if not 0 < self.confidence < 1:
            raise InputError("a confidence between 0 and 1", self.confidence, advice="0.95 is the default.")

    @property
    def is_fitted(self) -> bool:
        """Whether the caution is known."""
        return self.caution is not None or self.cautions is not None

    @property
    def promise(self) -> float:
        """The share of right answers to be held."""
        return self.guarantee

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares that are promised: of all answers, then by level."""
        return (self.guarantee, *dict(self.by_level).values())

    def levels(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        """The levels that have a promise of their own.

        Raises:
            InputError: There is no such level.
        """
        return tuple(one_level(name, taxonomy, options=options_of(self)) for name, _ in self.by_level)

    # ---------------------------------------------------------------- answers

    def __call__(self, prediction: Prediction) -> Nodes:
        flat = prediction.flat()
        if self.cautions is None and self.caution is None:
            raise not_fitted(self.name, self.fits_on)
        return Nodes.of(prediction, self.steps_of(flat).at(self._limits(flat)))

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The caution in the scale of the rule's own steps: one, or with ``per`` one for every node of the level.

        Raises:
            InputError: The rule was not fitted.
        """
        if self.cautions is None and self.caution is None:
            raise not_fitted(self.name, self.fits_on)
        if self.per and self.cautions is not None:
            return {"caution": self.cautions.double()}
        if self.cautions is not None and self.caution in (None, self.from_scale(float(self.cautions[0]))):
            return {"caution": self.cautions[0].double()}
        return {"caution": torch.tensor(self.to_scale(self.caution or 0.0, torch.float32), dtype=torch.float64)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        caution = numbers["caution"]
        if caution.ndim:
            if self.fitted_tree != _identity(prediction.taxonomy):
                raise InputError("cautions by group that were fitted in this tree", "those of another", at=self.name)
            caution = caution[self._groups(prediction)][:, None]
        index = tree_index(prediction.taxonomy, prediction.device)
        node = self.dense(weigh_all(prediction), self.eligible(prediction, index), caution)
        return Nodes.of(prediction, at_only_children_of(prediction, node))

    @abstractmethod
    def dense(
        self, found: WeighedAll, eligible: Bool[Tensor, " node"], caution: Float[Tensor, "#image #node"]
    ) -> Int[Tensor, " image"]:
        """The answer at a caution in the scale of the rule's own steps, from all nodes."""

    def steps_of(self, prediction: Prediction) -> Steps:
        """The answers of each image at every caution, in the scale of the rule's own steps."""
        flat = prediction.flat()
        flat.before_slicing()
        return Steps.join([self._steps_of(part) for part in _parts(flat)])

    def _limits(self, flat: Prediction) -> Float[Tensor, " image"] | float:
        """The caution of each image, in the scale of the steps."""
        if self.cautions is None or not self.per:
            learnt = None if self.cautions is None else float(self.cautions[0])
            if self.caution is not None and (learnt is None or self.from_scale(learnt) != self.caution):
                return self.to_scale(self.caution, flat.precision)  # given, or put in place of the learnt one
            return float(learnt if learnt is not None else MOST_CAUTIOUS)
        cautions = self.cautions.to(flat.device)
        if self.fitted_tree != _identity(flat.taxonomy):  # groups of another tree: the greatest caution of any
            return float(cautions.max())
        return cautions[self._groups(flat)]

    def _steps_of(self, part: Prediction) -> Steps:
        index = tree_index(part.taxonomy, part.device)
        found = at_only_children(part, candidates(part, self.eligible(part, index)))
        return self.steps(weigh(part, found))

    def _groups(self, flat: Prediction) -> Int[Tensor, " image"]:
        """Place of each image's group among the nodes of the level ``per``."""
        taxonomy = flat.taxonomy
        level = one_level(self.per, taxonomy)
        nodes = torch.as_tensor(taxonomy.level_nodes(level).copy(), device=flat.device)
        place = torch.zeros(taxonomy.num_nodes, dtype=torch.int64, device=nodes.device)
        place[nodes] = torch.arange(len(nodes), device=nodes.device)  # a table, which exporters can trace
        return place[at_levels(flat.best_leaf().node, taxonomy)[:, level - 1]]

    def eligible(self, prediction: Prediction, index: TreeIndex) -> Bool[Tensor, " node"]:
        """Mask of the nodes that may be answered at all: those without exactly one child."""
        return says_something(index)

    @abstractmethod
    def steps(self, found: Weighed) -> Steps:
        """The answers of each image by caution, from its candidates."""

    @abstractmethod
    def to_scale(self, caution: float, dtype: torch.dtype) -> float:
        """A caution that was given, in the scale of the steps; ``dtype`` is that of the log-probabilities."""

    @abstractmethod
    def from_scale(self, caution: float) -> float:
        """The reverse of :meth:`to_scale`, to its precision."""

    # ---------------------------------------------------------------- fitting

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the least caution that keeps its promises, as far as these images can tell.

        Args:
            prediction: Of images that the model was not trained on.
            target: Their true nodes; inner ones are allowed.

        Raises:
            InputError: There are no images, the shapes differ, or there is no such level.
        """
        check_targets(prediction, target)
        taxonomy, labels, flat = prediction.taxonomy, target.reshape(-1), prediction.flat()
        levels = self.levels(taxonomy)
        if self.per:
            parts = [(self._steps_of(part), self._groups(part)) for part in _parts(flat)]
            steps, groups = Steps.join([part for part, _ in parts]), torch.cat([group for _, group in parts])
            cautions, pooled = self._fit_groups(steps, labels, groups, taxonomy, levels)
            values, tree = torch.tensor(cautions, dtype=torch.float64), _identity(taxonomy)
            return dataclasses.replace(
                self, caution=None, cautions=values, pooled=torch.from_numpy(pooled), fitted_tree=tree
            )
        steps = Steps.join([self._steps_of(part) for part in _parts(flat)])
        walk = Walk.of(steps, labels, taxonomy, levels)
        places = walk.proven(self.shares, self.confidence)
        if places <= 1 and len(walk.caution):
            warnings.warn(self._only_the_root(walk, taxonomy), stacklevel=2)
        caution = walk.caution_at(places)
        values = torch.tensor([caution], dtype=torch.float64)
        return dataclasses.replace(self, caution=self.from_scale(caution), cautions=values)

    def _only_the_root(self, walk: Walk, taxonomy: Taxonomy) -> str:
        """A warning that only the root is answered, and the promise that can be kept instead."""
        n, (share, *by_level) = walk.num_images, self.shares
        least = max(trials_needed(x, confidence=self.confidence) for x in self.shares)
        sentences = [
            f"{self.name} answers the root for every image: {n:,} labelled image{'s' * (n != 1)} cannot show that a "
            f"share of {share:g} of any other answers is right, which takes at least {least:,}, with no error among "
            "them"
        ]
        lower = clopper_pearson_lower(int(walk.right[0, min(1, len(walk.caution))]), n, confidence=self.confidence)
        possible = math.floor(100 * lower) / 100
        places = walk.proven([possible, *by_level], self.confidence) if 0 < possible < share else 0
        if places > 1:
            most = math.log2(taxonomy.num_leaves)
            specific = walk.bits[places - 1] / (n * most) if most else 1.0
            sentences.append(f"{possible:g} can be promised, by answers {specific:.0%} as specific as leaves")
            rate = walk.right[0, places - 1] / n
            if share < rate < 1:
                needed = trials_needed(share, confidence=self.confidence, rate=float(rate))
                sentences.append(
                    f"With as many errors as these have, {share:g} would take about {needed:,} labelled images"
                )
        return ". ".join(sentences) + "."

    def _fit_groups(
        self, steps: Steps, labels: Tensor, groups: Tensor, taxonomy: Taxonomy, levels: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The caution of every group, and which groups share one. It is the greatest where there are too few images."""
        nodes = taxonomy.level_nodes(one_level(self.per, taxonomy))
        counts = np.bincount(groups.cpu().numpy(), minlength=len(nodes))
        tested, least, one_more, confidence = self._tested(counts)
        cautions, alone = np.full(len(nodes), MOST_CAUTIOUS), np.zeros(len(nodes), dtype=np.bool_)
        alone[tested] = True

        def fit(chosen: Bool[Tensor, " image"]) -> float:
            walk = Walk.of(steps, torch.where(chosen, labels, -1), taxonomy, levels)
            return walk.caution_at(walk.proven(self.shares, confidence))

        for group in tested:
            cautions[group] = fit(groups == int(group))
        together = self.rest == "together" and counts[~alone].sum() >= least
        if together:
            cautions[~alone] = fit(torch.from_numpy(~alone).to(groups.device)[groups])
        if not alone.all():
            self._tell_of_few(taxonomy, nodes, counts, alone, one_more, together=bool(together))
        return cautions, ~alone & together

    def _tell_of_few(
        self,
        taxonomy: Taxonomy,
        nodes: NDArray[np.int64],
        counts: NDArray[np.int64],
        alone: NDArray[np.bool_],
        least: int,
        *,
        together: bool,
    ) -> None:
        few = np.flatnonzero(~alone)
        most = few[np.argsort(-counts[few], kind="stable")[:NAMED_GROUPS]]
        listed = ", ".join(f"{taxonomy.path_name(int(nodes[k]))} ({counts[k]:,})" for k in most)
        more = f" and {len(few) - len(most):,} more" if len(few) > len(most) else ""
        done = "makes one promise for" if together else "answers the root for"
        warnings.warn(
            f"{self.name} {done} {len(few):,} of the {len(nodes):,} groups{' together' if together else ''}: a promise "
            f"of {max(self.shares):g} for each takes at least {least:,} labelled images per group, and there are fewer "
            f"in {listed}{more}.",
            stacklevel=4,
        )

    def _tested(self, counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, int, float]:
        """The groups to be tested on their own, the least size of one and of one more, and the confidence of each test.

        As many as possible of the largest groups, such that each has enough images at the level that the number of
        tests leaves to each.
        """
        order = np.argsort(-counts, kind="stable")

        def num_tests(alone: int) -> int:
            return max(alone + (self.rest == "together" and alone < len(order)), 1)

        def least(alone: int) -> int:
            confidence = 1 - (1 - self.confidence) / num_tests(alone)
            return trials_needed(max(self.shares), confidence=confidence)

        alone = len(order)
        while alone and counts[order[alone - 1]] < least(alone):
            alone -= 1
        confidence = 1 - (1 - self.confidence) / num_tests(alone)
        return order[:alone], least(alone), least(min(alone + 1, len(order))), confidence

    # ---------------------------------------------------------------- promises

    def promises(self, taxonomy: Taxonomy) -> tuple[Promise, ...]:
        """The guarantee and those by level; for every group, if there are groups, then for those that share one."""
        of_levels = [("", self.guarantee), *self.by_level]
        if not self.per:
            return tuple(Promise(name, share) for name, share in of_levels)
        nodes = taxonomy.level_nodes(one_level(self.per, taxonomy))
        place, shares_one = self._places(len(nodes))
        groups = [taxonomy.path_name(int(v)) for v in nodes[~shares_one]]
        if len(groups) < int(place.max(initial=-1)) + 1:
            groups.append(f"the other {len(nodes) - len(groups):,} groups")
        return tuple(
            Promise(f"{group}, {name}" if name else group, share) for group in groups for name, share in of_levels
        )

    def _places(self, num_groups: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Place of each group among the promises, the last one for groups that share one, and which groups do."""
        shares_one = np.zeros(num_groups, dtype=np.bool_) if self.pooled is None else self.pooled.cpu().numpy()
        return np.where(shares_one, (~shares_one).sum(), (~shares_one).cumsum() - 1), shares_one

    def kept(
        self, prediction: Prediction, answer: Nodes, target: Int[Tensor, "*batch"]
    ) -> Int[Tensor, "promise right_and_all"]:
        taxonomy = prediction.taxonomy
        right = right_by(answer.node.reshape(-1), target.reshape(-1), taxonomy, self.levels(taxonomy)).long()
        both = torch.stack([right, torch.ones_like(right)], -1)
        if not self.per:
            return both.sum(1)
        places, _ = self._places(len(taxonomy.level_nodes(one_level(self.per, taxonomy))))
        place = torch.from_numpy(places).to(right.device)[self._groups(prediction.flat())]
        sums = both.new_zeros(int(places.max()) + 1, *both.shape[::2])
        return sums.index_add(0, place, both.transpose(0, 1)).reshape(-1, 2)


def _parts(flat: Prediction) -> Iterator[Prediction]:
    """The prediction in parts, of more images where each needs fewer values than there are nodes."""
    return in_parts(flat, CELLS_AT_ONCE // flat.values_per_image * flat.taxonomy.num_nodes)


def _identity(taxonomy: Taxonomy) -> int:
    """A number that tells taxonomies apart."""
    return int(taxonomy.fingerprint[:12], 16)


@dataclasses.dataclass(frozen=True)
class GuaranteedThreshold(Guaranteed):
    """A guaranteed rule whose caution is a threshold of probability.

    Its steps are in log-odds, since no probability in double precision is high enough for overconfident scores.
    """

    def to_scale(self, caution: float, dtype: torch.dtype) -> float:
        """The log-odds of a threshold, raised by the rounding of sums over a tree."""
        bar = log_bar(caution, dtype)
        if bar >= 0:
            return MOST_CAUTIOUS
        return bar - math.log(-math.expm1(bar)) if bar > -math.inf else -MOST_CAUTIOUS

    def from_scale(self, caution: float) -> float:
        """The probability of log-odds; 1 if they are too high for one below."""
        return 1 / (1 + math.exp(-caution)) if caution > -700 else 0.0


def log_odds(found: Weighed) -> Float[Tensor, " candidate"]:
    """Logarithm of the odds of each candidate, which tell probabilities near 1 apart."""
    return found.log_prob - found.doubt.log()
