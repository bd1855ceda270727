"""Deep-RTC: scores summed along paths, trained on randomly cut trees."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Greedy, Leaf
from cladewise.heads import Head, node_logit_head
from cladewise.losses import DeepRTCLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.predictions import PathSumSigmoid
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepRTCMethod(Method):
    """Scores are summed along paths, and a sigmoid of the sum at each node gives the probability of the path.

    With its defaults it is trained like the parameter-sharing softmax and differs in its probabilities, like the
    published "Deep RTC" baseline. ``form="original"`` with ``rho=0.1`` is the loss of the authors, combined with their
    decision rule: from the root to the best child, as long as its probability among its siblings is at least ``gate``.
    """

    name: ClassVar[str] = "deep-rtc"
    title: ClassVar[str] = "Deep realistic taxonomic classifier (Deep-RTC)"
    citation: ClassVar[Citation] = Citation(
        "Wu, Morgado, Wang, Ho, Vasconcelos",
        "Solving long-tailed recognition with deep realistic taxonomic classifier",
        "ECCV",
        2020,
        "https://arxiv.org/abs/2007.09898",
    )

    form: Literal["random-cut", "original"] = option(
        "random-cut", "random-cut, or original: plus the authors' consistency of the choices on the path"
    )
    rho: float = option(
        0.0, "probability that a node's subtree is cut off in training, in [0, 1]", grid=(0.0, 0.1, 0.2)
    )
    sampling_weight: float = option(
        1.0, "weight of the cut trees relative to the consistency in the original form, >= 0", grid=(0.5, 1.0)
    )
    gate: float = option(
        0.0,
        "probability among its siblings that a child needs to be descended to, in the original form, in [0, 1]",
        grid=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return node_logit_head(PathSumSigmoid, taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return DeepRTCLoss(taxonomy, form=self.form, rho=self.rho, sampling_weight=self.sampling_weight)

    def decision(self) -> Decision:
        gated = Greedy(self.gate, on="step")
        return gated if self.form == "original" else Leaf()
