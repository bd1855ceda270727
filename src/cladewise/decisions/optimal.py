"""Bayes-optimal answers for a stated metric: the node, the leaf or the set of labels with the best expected value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions import expected
from cladewise.decisions.candidates import says_something
from cladewise.decisions.decision import Decision, LabelSets, Nodes
from cladewise.decisions.optimal_sets import best_f_sets
from cladewise.errors import InputError
from cladewise.ops import tree_index
from cladewise.predictions import Prediction, best_nodes
from cladewise.taxonomy import Taxonomy

Metric = Literal["info-f1", "depth-f1", "hf", "zhao", "cpb", "lca-height", "path-length", "hamming"]
Kind = Literal["node", "leaf", "set"]

BY_LEAVES = ("info-f1", "cpb")
"""Metrics of the leaves under the answer, for which a node and its only child are equally good."""
WITH_BETA = ("info-f1", "depth-f1", "hf")
FOR_SETS = ("hf", "hamming")


@dataclasses.dataclass(frozen=True)
class Optimal(Decision):
    r"""The answer with the best expected value of a metric under the probabilities of the leaves.

    .. math:: \hat{v} = \arg\max_v \sum_{j\ \text{leaf}} p_j\, U(v, j)

    The expectation is computed for all nodes exactly, by sums along the paths: one pass over the tree, and for metrics
    of depth one for every depth at which there are leaves. So no table of nodes by leaves is needed, and no candidates
    are left out. The metrics, for an answer *v*, a leaf *j* and their lowest common ancestor *m*:

    ===============  =================================================================  ==================
    ``metric``       :math:`U(v, j)`                                                    reported as
    ===============  =================================================================  ==================
    ``info-f1``      :math:`(1 + \beta^2) I(m) / (\beta^2 I(j) + I(v))`                   ``info_f1``
    ``depth-f1``     :math:`(1 + \beta^2) d(m) / (\beta^2 d(j) + d(v))`                   ``depth_f1``
    ``hf``           the same with :math:`d + 1`: the root counts as an ancestor        –
    ``zhao``         :math:`d(m) / \max(d(v), d(j))`                                    –
    ``cpb``          if *v* is right, 1 minus the share of leaves under it, or 1 for   ``cpb``
                     a leaf; otherwise 0
    ``lca-height``   :math:`-h(m)`                                                      ``hd@1``
    ``path-length``  :math:`-(d(v) + d(j) - 2 d(m))`                                    –
    ===============  =================================================================  ==================

    ``depth-f1`` is the hierarchical F-score of Kiritchenko et al. and, with :math:`\beta = 1`, the similarity of Wu and
    Palmer; with ``hf`` and :math:`\beta = 1` the same holds if depths begin at 1. The two costs are those of
    :class:`~cladewise.decisions.CRM`, which also takes costs of your own. Metrics that reward nothing but a right leaf,
    such as ``top1``, are best served by :class:`~cladewise.decisions.Leaf`.

    A set of labels is best for ``hf``, the expected :math:`hF_\beta` of the set and the ancestors of the leaf, by
    the paper's result for sets: for each size *k* the best set has the *k* nodes of largest
    :math:`\Delta_k(v) = \sum_{j \in B(v)} p_j (1 + \beta^2) / (k + \beta^2 (d(j) + 1))`, and none whose probability is
    below :math:`1 / (1 + \beta^2 (d_{\max} + 1))`. Such a set contains the ancestors of its nodes. For ``hamming``, the
    number of labels wrong or missing, it is every node more probable than one half. The root, which is always in it, is
    not part of the answer.

    Args:
        metric: What to optimise.
        answer: What may be answered: a ``node``, a ``leaf``, or a ``set`` of labels (``hf`` and ``hamming`` only).
        beta: Weight of recall against precision in the F-scores.

    By ``info-f1`` and ``cpb`` a node with exactly one child is never better than the child, and the child is answered.
    Probability mass at inner nodes belongs to no leaf and does not count, as in :class:`~cladewise.decisions.CRM`. The
    answer is the best on average if probabilities are calibrated.

    Raises:
        InputError: The metric or the kind of answer does not exist, they do not go together, or beta is not positive.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.3, 0.25, 0.2, 0.25]]).log())
        >>> [int(Optimal(metric)(p).node) for metric in ("info-f1", "depth-f1", "hf", "path-length")]
        [2, 2, 1, 1]
        >>> Optimal("hf", answer="set")(p).chosen.nonzero()[:, 1]
        tensor([1])

    References:
        Plaud et al., To each metric its decoding: post-hoc optimal decision rules of probabilistic hierarchical
        classifiers, ICML 2025, arXiv:2506.01552. It enumerates candidates between two bounds on their probability and
        the leaves of each (theorem 4.4); here the expectations of all nodes follow from sums. Its Wu-Palmer metric is
        ``depth-f1``. Kiritchenko et al., Learning and evaluation in the presence of class hierarchies, Canadian AI
        2006; Wu and Palmer, Verb semantics and lexical selection, ACL 1994; Zhao et al., Large-scale category structure
        aware image categorization, NIPS 2011, where shared nodes are counted without the root here.
    """

    name: ClassVar[str] = "optimal"

    metric: Metric = "info-f1"
    answer: Kind = "node"
    beta: float = 1.0

    def __post_init__(self) -> None:
        for field, kinds in (("metric", Metric), ("answer", Kind)):
            if (value := getattr(self, field)) not in get_args(kinds):
                raise InputError(f"{field} of the rule optimal: {', '.join(get_args(kinds))}", repr(value))
        if self.answer == "set" and self.metric not in FOR_SETS:
            raise InputError(f"a metric of sets: {', '.join(FOR_SETS)}", repr(self.metric), advice="Answer with nodes.")
        if self.answer != "set" and self.metric == "hamming":
            raise InputError("an answer that is a set for hamming", repr(self.answer), advice="Write answer=set.")
        if not 0 < self.beta < float("inf"):
            raise InputError("a positive beta", self.beta, advice="1 weights precision and recall equally.")
        if self.beta != 1 and self.metric not in WITH_BETA:
            raise InputError(f"beta for an F-score only: {', '.join(WITH_BETA)}", f"beta {self.beta:g}")

    def __call__(self, prediction: Prediction) -> Nodes | LabelSets:
        if self.answer == "set":
            return self._set(prediction)
        values, index = self.expected(prediction), tree_index(prediction.taxonomy, prediction.device)
        if self.answer == "node":
            if self.metric in BY_LEAVES:
                values = values.masked_fill(~says_something(index), -torch.inf)
            return Nodes.of(prediction, values.argmax(-1))
        leaves = index.leaf_nodes
        return Nodes.of(prediction, leaves[values.index_select(-1, leaves).argmax(-1)])

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes | LabelSets:
        if self.answer == "set" and self.metric == "hf":
            raise InputError("sets that are optimal for hamming in a graph, or a node", "sets that are for hf")
        return self(prediction)

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` leaves of best expected value, best first; a set of labels has the prediction's order."""
        if self.answer == "set":
            return super().order(prediction, k)
        leaves = tree_index(prediction.taxonomy, prediction.device).leaf_nodes
        return best_nodes(self.expected(prediction).index_select(-1, leaves), leaves, k)

    def expected(self, prediction: Prediction) -> Float[Tensor, "*batch node"]:
        """Expected value of the metric if a node is answered, for every node; costs are negative.

        Raises:
            InputError: The metric is of sets only.
        """
        mass, taxonomy = expected.leaf_mass(prediction), prediction.taxonomy
        if self.metric == "hamming":
            raise InputError("a metric of single nodes", repr(self.metric))
        return _expected(self.metric, mass, taxonomy, self.beta)

    def _set(self, prediction: Prediction) -> LabelSets:
        mass = expected.leaf_mass(prediction)
        if self.metric == "hf":
            chosen = best_f_sets(mass, prediction.taxonomy, self.beta)
        else:
            chosen = mass > 0.5 + 4 * torch.finfo(mass.dtype).eps  # a sum of one half may be rounded up
        chosen[..., 0] = False
        return LabelSets(chosen, prediction.log_prob)


def _expected(metric: Metric, mass: Tensor, taxonomy: Taxonomy, beta: float) -> Tensor:
    if metric in expected.RISKS:
        return -expected.RISKS[metric](mass, taxonomy)
    if metric == "info-f1":
        return expected.expected_info_f(mass, taxonomy, beta)
    if metric == "zhao":
        return expected.expected_zhao(mass, taxonomy)
    if metric == "cpb":
        return expected.expected_cpb(mass, taxonomy)
    return expected.expected_depth_f(mass, taxonomy, beta, with_root=metric == "hf")
