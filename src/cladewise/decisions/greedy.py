"""Greedy descent: from the root to the best child at each step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from cladewise.decisions.child_steps import best_children
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.dense import deepest, descent, on_the_way
from cladewise.errors import InputError
from cladewise.ops import sibling_log_softmax, tree_index
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Greedy(Decision):
    r"""From the root to the best child, repeatedly, down to a leaf or until the probability falls below a threshold.

    .. math:: v_0 = \text{root}, \qquad v_{i+1} = \arg\max_{c \in C(v_i)} s_c, \qquad
        \text{as long as}\ p_{v_{i+1}} \ge \tau\ \text{and}\ p_{v_{i+1}} > 0

    Children compete by their log-probability; for heads with a softmax per level by the log-probabilities of the
    level, masked to the children of the last choice; and for Deep-RTC by their raw scores. The final leaf is not always
    the most probable one.

    Args:
        threshold: Probability :math:`\tau` that a step has to reach to be taken, in [0, 1]; 0 ends at a leaf, unless
            all below a node is impossible or, in a list of the best nodes, unknown.
        on: The probability compared with the threshold: that of the whole ``path``, :math:`p_v`, as in YOLO9000; or of
            the single ``step``, the child's share of its parent, as in Deep-RTC: :math:`p_c / p_v`, or the softmax
            among siblings if they compete by scores.

    Raises:
        InputError: The threshold is not in [0, 1], or the probability is neither of the two.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.35, 0.25, 0.4]]).log())
        >>> [int(Greedy(threshold)(p).node) for threshold in (0.0, 0.5, 0.7)]
        [2, 1, 0]
        >>> int(Greedy(0.6, on="step")(p).node)
        1

    References:
        Redmon and Farhadi, YOLO9000, CVPR 2017, arXiv:1612.08242. Wu et al., Solving long-tailed recognition with deep
        realistic taxonomic classifier, ECCV 2020, arXiv:2007.09898. Dhall et al., Hierarchical image classification
        using entailment cone embeddings, CVPR workshops 2020, arXiv:2004.03459 (masked per-level classifier:
        threshold 0).
    """

    name: ClassVar[str] = "greedy"

    threshold: float = 0.0
    on: Literal["path", "step"] = "path"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError("a threshold in [0, 1]", self.threshold, advice="0 always reaches a leaf.")
        if self.on not in ("path", "step"):
            raise InputError("the probability of the path or of the step", repr(self.on))

    def __call__(self, prediction: Prediction) -> Nodes:
        taxonomy, index = prediction.taxonomy, tree_index(prediction.taxonomy, prediction.device)
        given, competing = prediction.sibling_scores()
        values, log_prob = (x.reshape(-1, taxonomy.num_nodes) for x in (given, prediction.log_prob))
        bar = (math.log(self.threshold) if self.threshold > 0 else -math.inf) - 8 * torch.finfo(log_prob.dtype).eps
        node = torch.zeros(len(values), dtype=torch.int64, device=prediction.device)
        walking = torch.arange(len(values), device=prediction.device)
        for level in index.by_depth:
            walking = walking[index.height[node[walking]] > 0]
            step = best_children(values, walking, node[walking], level, taxonomy)
            if self.on == "path":
                sure = log_prob[walking, step.child]
            elif competing:
                sure = step.share
            else:
                sure = log_prob[walking, step.child] - log_prob[walking, node[walking]]
            taken = (sure >= bar) & (log_prob[walking, step.child] > -torch.inf)
            walking, child = walking[taken], step.child[taken]
            node[walking] = child
        return Nodes.of(prediction, node)

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The threshold, a probability."""
        return {"threshold": torch.tensor(self.threshold, dtype=torch.float64)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
        values, competing = prediction.sibling_scores()
        possible = log_prob > -torch.inf
        sure = log_prob
        if self.on == "step" and competing:
            sure = pad(sibling_log_softmax(values[:, 1:], taxonomy), (1, 0))
        elif self.on == "step":  # below what is impossible there is no share, and no step is taken
            above = tree_index(taxonomy, prediction.device).parents.clamp_min(0)
            finite = log_prob.clamp_min(torch.finfo(log_prob.dtype).min)
            sure = finite - finite.index_select(1, above)
        bar = (numbers["threshold"].log() - 8 * torch.finfo(log_prob.dtype).eps).to(log_prob.dtype)
        steps = descent(values, taxonomy).is_best & (sure >= bar) & possible
        return Nodes.of(prediction, deepest(on_the_way(steps, taxonomy), taxonomy))
