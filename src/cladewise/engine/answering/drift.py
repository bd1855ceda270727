"""Comparison of new scores with those that a rule was fitted on."""

from __future__ import annotations

import dataclasses

import torch

from cladewise.decisions import Answer, Decision, Nodes
from cladewise.metrics import ScoreProfile
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

ROWS_WATCHED = 256
"""Largest number of images of a part that are looked at, evenly spaced."""


def profile_of(rule: object, prediction: Prediction) -> ScoreProfile:
    """The profile of scores that a fitted rule is given, with its answers if it is a decision."""
    answer = rule(prediction) if isinstance(rule, Decision) else None
    return ScoreProfile.of(prediction, answer)


@dataclasses.dataclass
class ScoreWatch:
    """Scores that are given to a fitted rule, part by part, compared with those that it was fitted on.

    Args:
        handle: Handle of the rule.
        split: Split that it was fitted on.
        before: Profile of the scores that it was fitted on; ``None`` if none was kept, and nothing is compared.
        now: Profile of the scores that were added.
        taxonomy: Their tree.
    """

    handle: str
    split: str
    before: ScoreProfile | None
    now: ScoreProfile | None = None
    taxonomy: Taxonomy | None = None

    def add(self, prediction: Prediction, answer: Answer | None = None) -> None:
        """Add a part: the prediction that the rule is given, and its answer if it is a decision.

        At most 256 evenly spaced images are looked at.
        """
        if self.before is None or not len(prediction.logits):
            return
        rows = torch.arange(0, len(prediction.logits), max(1, -(-len(prediction.logits) // ROWS_WATCHED)))
        rows = rows.to(prediction.device)
        some = Nodes(answer.node[rows], answer.log_prob[rows]) if isinstance(answer, Nodes) else None
        found = ScoreProfile.of(prediction[rows], some)
        self.taxonomy = prediction.taxonomy
        self.now = found if self.now is None else self.now + found

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if the scores differ, otherwise none."""
        if self.before is None or self.now is None or self.taxonomy is None:
            return ()
        drift = self.before.drift(self.now, self.taxonomy)
        if not drift.is_there:
            return ()
        where = f"{self.before.num_images:,} images of {self.split}"
        told = f"{self.handle} was fitted on other scores than these ({where}): {drift.text}"
        return (f"{told}. What it promises or corrects may not hold here",)
