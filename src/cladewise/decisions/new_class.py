"""A known class, or one that is new under some node."""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import novelty
from cladewise.catalogue import fitted
from cladewise.decisions.candidates import above, log_bar, says_something
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.dense import most_informative_of
from cladewise.decisions.fitting import check_targets, fitted_number, not_fitted
from cladewise.decisions.leaf import Leaf
from cladewise.decisions.majority import Majority
from cladewise.decisions.parts import images_at_once
from cladewise.errors import InputError
from cladewise.ops import TreeIndex, tree_index
from cladewise.predictions import Prediction
from cladewise.statistics import least_successes, trials_needed

CONFIDENCE = 0.95
"""Confidence with which at most the given share of the images of known classes are called new."""
NEVER = sys.float_info.max
"""Threshold that nothing exceeds."""
CELLS_AT_ONCE = 1 << 22
"""Approximate number of (image, node) cells processed at a time, 16 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class NewClass(Decision):
    r"""A known class, or the claim that the class is new, with the node that it is new under.

    An image is called new if its novelty score at the root, which asks whether the image belongs to anything known at
    all, exceeds a threshold:

    .. math:: s_{\text{root}}(x) > \tau

    The answer is then the most informative inner node that is more probable than ``place``, and :attr:`Nodes.new` is
    true: *under this node, and none of its known classes*. If that is one half, the node has the least expected number
    of edges to the truth among inner nodes. All other images get the answer of a rule for known classes.

    :meth:`fit` chooses the threshold on images of known leaves, such that with a confidence of 95% at most the given
    ``share`` of such images is called new. It is the :math:`(k+1)`-th largest of their :math:`n` scores, with the
    largest :math:`k` for which

    .. math:: P(X \le k \mid n, \alpha) \le 0.05, \qquad X \sim \operatorname{Bin}(n, \alpha)

    a distribution-free tolerance limit, which holds whatever the head and the score are, for images distributed like
    those it was fitted on. Of 0.05 it needs 59 images; with fewer, nothing is called new, with a warning. Images
    labelled at inner nodes may be of new classes and are left out. How many images of new classes are found is not
    promised; :func:`cladewise.unknown.evaluate_unknown` measures it.

    Args:
        share: Largest share :math:`\alpha` of the images of known classes that may be called new, in (0, 1).
        score: Name of the novelty score, see :func:`cladewise.novelty.available`.
        over: The ``"leaves"`` or ``"children"`` that the score is over.
        place: Probability that the inner node has to exceed, in [0, 1).
        known: Rule for images that are not called new: ``"leaf"`` or ``"majority"``.
        threshold: The fitted threshold :math:`\tau`; may be given instead.

    Raises:
        InputError: An option is out of its range; or the rule is used without being fitted.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("finch", "serin"), ("finch", "linnet"), ("finch", "siskin"), ("wren",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.9, 0.04, 0.03, 0.03], [0.3, 0.3, 0.3, 0.1]]).log())
        >>> answer = NewClass(threshold=1.0)(p)
        >>> [t.path_name(v) for v in answer.node.tolist()], answer.new
        (['finch/serin', 'finch'], tensor([False,  True]))

    References: tolerance limits: Wilks, Determination of sample sizes for setting tolerance limits, Annals of
        Mathematical Statistics 12, 1941. The answer of an inner node for a new class: Lee et al., Hierarchical novelty
        detection for visual object recognition, CVPR 2018, arXiv:1804.00722.
    """

    name: ClassVar[str] = "new-class"
    fits_on: ClassVar[str] = "val"

    share: float = 0.05
    score: str = "entropy"
    over: Literal["leaves", "children"] = "leaves"
    place: float = 0.5
    known: Literal["leaf", "majority"] = "leaf"
    threshold: float | None = fitted()

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError("a share of the known images in (0, 1)", self.share)
        if not 0 <= self.place < 1:
            raise InputError("a probability of the place in [0, 1)", self.place)
        if self.known not in ("leaf", "majority"):
            raise InputError("a rule for known classes: leaf or majority", repr(self.known))
        novelty.make(self.score, over=self.over)

    @property
    def is_fitted(self) -> bool:
        """Whether the threshold is known."""
        return self.threshold is not None

    @property
    def is_proven(self) -> bool:
        """True: at most a share of the images of known classes is called new."""
        return True

    def __call__(self, prediction: Prediction) -> Nodes:
        if self.threshold is None:
            raise not_fitted(self.name, self.fits_on)
        new = self.surprise(prediction) > self.threshold
        known = (Leaf() if self.known == "leaf" else Majority())(prediction)
        if not bool(new.any()):
            return dataclasses.replace(known, new=new)
        place = place_under(prediction, self.place)
        return dataclasses.replace(Nodes.of(prediction, torch.where(new, place, known.node).reshape(-1)), new=new)

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The threshold, in the unit of the novelty score."""
        return {"threshold": fitted_number(self.threshold, self.name, self.fits_on)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
        new = self.surprise(prediction) > numbers["threshold"]
        known = (Leaf() if self.known == "leaf" else Majority()).traced(prediction, {})
        bar = log_bar(self.place, prediction.precision)
        eligible = _may_have_new_classes(tree_index(taxonomy, prediction.device)) & (log_prob > bar)
        place = most_informative_of(eligible, log_prob, taxonomy)
        return dataclasses.replace(Nodes.of(prediction, torch.where(new, place, known.node)), new=new)

    def surprise(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        """The novelty score at the root in double precision; -inf in a tree without an inner node."""
        if prediction.taxonomy.num_nodes == 1:
            return torch.full(prediction.batch_shape, -torch.inf, dtype=torch.float64, device=prediction.device)
        return novelty.make(self.score, over=self.over).at_root(prediction).double()

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the rule with the least threshold that calls at most the given share of known images new.

        Args:
            prediction: Of images that the model was not trained on.
            target: Their true nodes; images of inner ones are left out.

        Raises:
            InputError: There are no images of leaves, or the shapes differ.
        """
        check_targets(prediction, target)
        index = tree_index(prediction.taxonomy, prediction.device)
        images, labels = prediction.flat(), target.reshape(-1).to(prediction.device)
        rows = torch.nonzero(index.height[labels] == 0).squeeze(1)
        if not len(rows):
            raise InputError("images of known leaves to fit on", f"{len(labels)} images, none of them at a leaf")
        at_once = images_at_once(prediction.taxonomy, CELLS_AT_ONCE)
        surprise = torch.cat([self.surprise(images[part]) for part in rows.split(at_once)]).sort(descending=True).values
        exceeding = len(rows) - least_successes(len(rows), 1 - self.share, confidence=CONFIDENCE)
        if exceeding < 0:
            warnings.warn(
                f"{self.name} cannot promise that at most {self.share:g} of the images of known classes are called "
                f"new: that takes {trials_needed(1 - self.share, confidence=CONFIDENCE)} images of leaves, and "
                f"{'there is 1' if len(rows) == 1 else f'there are {len(rows):,}'}. Nothing is called new.",
                stacklevel=2,
            )
            return dataclasses.replace(self, threshold=NEVER)
        return dataclasses.replace(self, threshold=max(float(surprise[exceeding]), -NEVER))


def place_under(prediction: Prediction, bar: float) -> Int[Tensor, "*batch"]:
    """The most informative inner node more probable than a threshold; the root if there is none.

    An inner node whose only child is an inner node is skipped for that child.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> place_under(LeafSoftmax(t, torch.tensor([[0.4, 0.3, 0.3], [0.2, 0.2, 0.6]]).log()), 0.5)
        tensor([1, 0])
    """
    eligible = _may_have_new_classes(tree_index(prediction.taxonomy, prediction.device))
    found = above(prediction, eligible, log_bar(bar, prediction.precision))
    return found.best(found.information_bits, found.log_prob).reshape(prediction.batch_shape)


def _may_have_new_classes(index: TreeIndex) -> Bool[Tensor, " node"]:
    """Mask of the inner nodes, without those that have no child but one inner node."""
    only_a_leaf = index.end == torch.arange(len(index.end), device=index.device) + 2
    return (index.height > 0) & (says_something(index) | only_a_leaf)
