"""Conformal answers: nodes or sets of nodes that cover a promised share of labels, whatever the probabilities are."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from typing import ClassVar, Literal, Self, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.catalogue import fitted
from cladewise.decisions.conformity import Score, leaf_scores, score_for_all_leaves, score_for_common_ancestor
from cladewise.decisions.decision import Decision, LabelSets, Nodes
from cladewise.decisions.fitting import check_targets, fitted_number, not_fitted
from cladewise.decisions.leaf_covers import common_ancestor, complete_subtrees, smallest_cover
from cladewise.decisions.parts import images_at_once, in_parts
from cladewise.errors import InputError
from cladewise.ops import subtree_max, tree_index
from cladewise.predictions import Prediction
from cladewise.statistics import conformal_rank, images_for_coverage
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import one_level

Kind = Literal["node", "set"]
Given = Literal["prediction", "label"]

MOST_NODES = 16
"""Largest limit on the number of nodes of a set; the work grows with its cube."""


@dataclasses.dataclass(frozen=True)
class Conformal(Decision):
    r"""A node, or a set of nodes, that covers the labels of a promised share of new images (split conformal).

    A label is covered if it lies at or under an answered node. On calibration images, :meth:`fit` finds the
    nonconformity score up to which leaves have to be taken in, the :math:`\lceil (n + 1)\,g \rceil`-th smallest of the
    scores from which on the labels are covered. For new images that are exchangeable with these,

    .. math:: P(\text{label covered}) \ge g

    on average over calibration sets and images, for any head, calibrated or not. With a ``confidence`` *c* a higher
    rank is used, :func:`~cladewise.statistics.conformal_rank`: with probability *c* over calibration sets, a share of
    at least *g* of new images is covered, the contract of :class:`~cladewise.decisions.Hedging`. If there are too few
    calibration images for either, the answer is the root, or all leaves, which is always right; a warning tells.

    A ``node`` is the lowest one above all leaves that were taken in; since only that node is answered, the scores are
    those from which on *it* covers the label, which is less than taking in the label's leaf. A ``set`` consists of the
    fewest nodes with exactly these leaves under them or, with ``max_nodes``, of at most so many nodes with as few other
    leaves as possible. It is returned as :class:`~cladewise.decisions.LabelSets` of these nodes and their ancestors,
    apart from the root: the nodes are those without another of the set below them. A set that is the root alone, which
    excludes nothing, has the root. The best leaf is always taken in, so no answer is empty.

    A label at an inner node is covered only if the answer has a node at or above it, so that whatever it may be is
    covered.

    Args:
        coverage: Share *g* of the labels to be covered, in (0, 1).
        answer: ``"node"`` or ``"set"``.
        score: ``"lac"``, leaves above one probability; or ``"aps"``, the most probable leaves up to one sum of
            probabilities, with larger sets for uncertain images and smaller ones for others.
        confidence: Probability with which the share is covered, in (0, 1); ``None`` for the coverage on average.
        max_nodes: Largest number of nodes of a set, 1 to 16; ``None`` for no limit.
        per: Name of a level: the coverage is promised for each of its branches. Empty for all images together.
        given: What a branch is given by: the ``"prediction"``, the branch that the best leaf is in; or the ``"label"``,
            which promises the coverage for the images of each true branch, rare ones included, with larger answers.
        threshold: The fitted nonconformity score; with ``per`` one for every node of the level, in node order.

    Raises:
        InputError: An option is out of its range, there is no such level, or the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> seen = LeafSoftmax(t, torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log().expand(9, 4))
        >>> rule = Conformal(0.8).fit(seen, torch.tensor([2, 2, 2, 2, 2, 2, 2, 3, 5]))
        >>> [t.path_name(v) for v in rule(seen[:1]).node.tolist()]
        ['a']
        >>> sets = Conformal(0.8, answer="set").fit(seen, torch.tensor([2, 2, 2, 2, 2, 2, 3, 3, 5]))
        >>> [t.path_name(v) for v in sets(seen[:1]).chosen[0].nonzero()[:, 0].tolist()]
        ['a']

    References:
        Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005. Mortier et al., Conformal prediction
        in hierarchical classification with constrained representation complexity, arXiv:2501.19038, whose answers are
        single nodes, or sets of a limited number of them; here leaves are chosen as without a tree, and nodes cover
        them. Den Hengst et al., Hierarchical conformal classification, arXiv:2508.13288.
    """

    name: ClassVar[str] = "conformal"
    fits_on: ClassVar[str] = "val"

    coverage: float = 0.9
    answer: Kind = "node"
    score: Score = "lac"
    confidence: float | None = None
    max_nodes: int | None = None
    per: str = ""
    given: Given = "prediction"
    threshold: float | Tensor | None = fitted()  # noqa: RUF009 -- it is a field

    def __post_init__(self) -> None:
        for field, kinds in (("answer", Kind), ("score", Score), ("given", Given)):
            if (value := getattr(self, field)) not in get_args(kinds):
                raise InputError(f"{field} of the rule conformal: {', '.join(get_args(kinds))}", repr(value))
        conformal_rank(1, self.coverage, self.confidence)  # checks both
        if self.max_nodes is not None and not (self.answer == "set" and 1 <= self.max_nodes <= MOST_NODES):
            advice = "A node is one already." if self.answer == "node" else ""
            raise InputError(f"max_nodes of 1 to {MOST_NODES} for a set", self.max_nodes, advice=advice)
        if self.given == "label" and not self.per:
            raise InputError("a level with given=label", "none", advice="Write per=genus, for example.")

    @property
    def is_fitted(self) -> bool:
        """Whether the threshold is known."""
        return self.threshold is not None

    @property
    def promise(self) -> float:
        """Share of the labels to be covered."""
        return self.coverage

    def __call__(self, prediction: Prediction) -> Nodes | LabelSets:
        if self.threshold is None:
            raise not_fitted(self.name, self.fits_on)
        taxonomy, shape = prediction.taxonomy, prediction.batch_shape
        found = [self._answers(part) for part in in_parts(prediction)]
        if self.answer == "node":
            return Nodes.of(prediction, torch.cat(found))
        return LabelSets(torch.cat(found).reshape(*shape, taxonomy.num_nodes), prediction.log_prob)

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The threshold, a nonconformity score: one, or one per node."""
        return {"threshold": fitted_number(self.threshold, self.name, self.fits_on)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes | LabelSets:
        if self.score != "lac" or self.max_nodes is not None:
            got = "score=aps, which sorts the leaves" if self.score != "lac" else "max_nodes, which is a search"
            raise InputError("conformal with score=lac and without max_nodes in a graph", got)
        rule = dataclasses.replace(self, threshold=numbers["threshold"])
        found = rule._answers(prediction)
        return Nodes.of(prediction, found) if self.answer == "node" else LabelSets(found, prediction.log_prob)

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the threshold that covers the labels of further images like these.

        Args:
            prediction: Of images that the model was not trained on.
            target: Their true nodes; inner ones are allowed. With ``given="label"``, labels coarser than the level are
                left out.

        Raises:
            InputError: There are no images, or the shapes differ.
        """
        check_targets(prediction, target)
        labels = target.reshape(-1).to(prediction.device)
        starts = iter(labels.split(images_at_once(prediction.taxonomy)))
        found = [self._scores_and_groups(part, next(starts)) for part in in_parts(prediction)]
        scores, groups = (torch.cat(each) for each in zip(*found, strict=True))
        if not self.per:
            threshold = self._threshold(scores)
            if threshold == math.inf:
                self._tell(len(scores))
            return dataclasses.replace(self, threshold=threshold)
        known = groups >= 0
        return dataclasses.replace(self, threshold=self._by_group(scores[known], groups[known], prediction.taxonomy))

    def _scores_and_groups(self, part: Prediction, target: Tensor) -> tuple[Tensor, Tensor]:
        scores, taxonomy = leaf_scores(part, self.score), part.taxonomy
        direct = self.answer == "node" and self.given == "prediction"
        until = score_for_common_ancestor if direct else score_for_all_leaves
        covered = until(scores, target, taxonomy)
        if not direct:  # the best leaf is always taken in
            index = tree_index(taxonomy, scores.device)
            covered = covered.masked_fill(index.leaf_nodes[scores.argmin(1)] == target, -torch.inf)
        if not self.per:
            return covered, torch.zeros_like(target)
        return covered, self._groups(scores, target, taxonomy)

    def _groups(self, scores: Tensor, target: Tensor, taxonomy: Taxonomy) -> Int[Tensor, " image"]:
        """Node of the level that each image counts for; -1 for none."""
        index = tree_index(taxonomy, scores.device)
        at_level = _at_level(self.per, taxonomy, scores.device)
        if self.given == "prediction":
            return at_level[index.leaf_nodes[scores.argmin(1)]]
        fine = (index.level[target] >= one_level(self.per, taxonomy)) | (index.height[target] == 0)
        return torch.where(fine, at_level[target], -1)

    def _threshold(self, scores: Tensor) -> float:
        rank = conformal_rank(len(scores), self.coverage, self.confidence)
        return math.inf if rank is None else scores.sort().values[rank - 1].item()

    def _by_group(self, scores: Tensor, groups: Tensor, taxonomy: Taxonomy) -> Float[Tensor, " node"]:
        """Threshold of every node of the level; infinite where there are too few images."""
        index = tree_index(taxonomy, scores.device)
        threshold = torch.full((taxonomy.num_nodes,), torch.inf, dtype=torch.float64, device=scores.device)
        order = scores.argsort(stable=True)
        order = order[groups[order].argsort(stable=True)]
        counts = groups.bincount(minlength=taxonomy.num_nodes)
        start = counts.cumsum(0) - counts
        rank_of = {n: conformal_rank(n, self.coverage, self.confidence) for n in counts.unique().tolist()}
        ranks = torch.zeros(int(counts.max()) + 1 if len(counts) else 1, dtype=torch.int64, device=scores.device)
        for count, rank in rank_of.items():
            ranks[count] = rank or 0
        rank = ranks[counts]
        enough = rank > 0
        threshold[enough] = scores[order[start[enough] + rank[enough] - 1]].double()
        every = _at_level(self.per, taxonomy, scores.device)[index.leaf_nodes].unique()
        few = int((~enough[every]).sum())
        if few:
            self._warn(
                f"{few:,} of {len(every):,} branches at {self.per} have too few images. It takes {self._needed:,} each"
            )
        return threshold

    def _tell(self, count: int) -> None:
        if count >= self._needed:
            self._warn("too many of the labels are covered by the root alone")
        else:
            few = "1 image is" if count == 1 else f"{count:,} images are"
            self._warn(f"{few} too few to exclude anything. It takes {self._needed:,}")

    @property
    def _needed(self) -> int:
        return images_for_coverage(self.coverage, self.confidence)

    def _warn(self, why: str) -> None:
        warnings.warn(
            f"{self.name} cannot promise a coverage of {self.coverage:g} by less than everything: {why}.", stacklevel=4
        )

    def _answers(self, part: Prediction) -> Tensor:
        """Nodes ``[image]``, or nodes and their ancestors ``[image, node]``."""
        scores, taxonomy = leaf_scores(part, self.score), part.taxonomy
        bars = self._bars(scores, taxonomy)
        taken = (scores <= bars).scatter(1, scores.argmin(1, keepdim=True), True)
        if self.answer == "node":
            return common_ancestor(taken, taxonomy).masked_fill((bars == torch.inf).all(1), 0)
        if self.max_nodes is None:
            nodes = complete_subtrees(taken, taxonomy)
        else:
            nodes = smallest_cover(taken, taxonomy, self.max_nodes)
        chosen = subtree_max(nodes.to(scores.dtype), taxonomy) > 0
        return torch.cat([nodes[:, :1], chosen[:, 1:]], 1)

    def _bars(self, scores: Float[Tensor, "image leaf"], taxonomy: Taxonomy) -> Float[Tensor, "image one_or_leaf"]:
        """Scores up to which leaves are taken in: one per image, or one per leaf."""
        if not isinstance(self.threshold, Tensor):
            return scores.new_tensor(self.threshold).expand(len(scores), 1)
        if self.threshold.ndim == 0:
            return self.threshold.to(scores.dtype).expand(scores.shape[0], 1)
        group = _at_level(self.per, taxonomy, scores.device)[tree_index(taxonomy, scores.device).leaf_nodes]
        by_leaf = self.threshold.to(scores)[group]
        return by_leaf.expand_as(scores) if self.given == "label" else by_leaf[scores.argmin(1, keepdim=True)]


def _at_level(name: str, taxonomy: Taxonomy, device: torch.device) -> Int[Tensor, " node"]:
    return torch.tensor(taxonomy.at_level(one_level(name, taxonomy)), device=device)
