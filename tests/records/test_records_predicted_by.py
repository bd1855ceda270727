"""The rules that an evaluation's prediction went through, as far as its curves depend on them."""

from __future__ import annotations

import pytest

from cladewise.records import Evaluation


@pytest.mark.parametrize(
    ("inference", "decision", "spec", "expected"),
    [
        ("none", "leaf", "leaf", "none"),
        ("calibrate", "hedging-0.95", "hedging:guarantee=0.95", "calibrate"),
        ("none", "calibrate+hedging-0.95", "calibrate+hedging:guarantee=0.95", "calibrate+hedging-0.95"),
        ("diffusion", "calibrate+leaf", "calibrate+leaf", "diffusion+calibrate+leaf"),
    ],
)
def test_a_decision_with_inferences_of_its_own_is_named(
    inference: str, decision: str, spec: str, expected: str
) -> None:
    rules = {"inference": inference, "decision": spec}
    evaluation = Evaluation(
        split="test",
        inference=inference,
        decision=decision,
        tree="true",
        rules=rules,
        num_images=1,
        num_skipped=0,
        fingerprint="",
        model="",
        data="",
        metrics={},
    )
    assert evaluation.predicted_by == expected
