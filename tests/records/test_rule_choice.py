"""The record of judged rules: what it says of them, and what reading it accepts."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.records import ChoiceExample, JudgedRule, RuleChoice, read_rule_choice, write_rule_choice

RULE = JudgedRule(
    rule="threshold:threshold=0.9",
    name="threshold",
    right=95,
    low=0.88,
    high=0.98,
    assured=0.87,
    information=1.5,
    depth=1.2,
    leaves=0.4,
    answers=(10, 50, 40),
    wrong=(0, 1, 4),
    severity=1.4,
    distance=0.3,
)
NEVER_WRONG = dataclasses.replace(
    RULE, rule="root", right=100, low=0.96, high=1.0, assured=0.95, information=0.0, severity=math.nan
)


def choice_of(*rules: JudgedRule) -> RuleChoice:
    return RuleChoice(
        run="runs/a",
        split="test",
        num_images=100,
        fingerprint="0",
        level_names=("genus", "species"),
        num_leaves=8,
        max_depth=2,
        rules=rules,
        examples=(ChoiceExample(path="é.jpg", target=3, answers=(3,) * len(rules), right=(True,) * len(rules)),),
        names={3: ("Tyto", "Tyto alba")},
    )


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = choice_of(RULE, NEVER_WRONG)
    found = read_rule_choice(write_rule_choice(written, tmp_path / "choice.json"))
    assert found.rules[0] == RULE
    assert math.isnan(found.rules[1].severity)
    assert dataclasses.replace(found, rules=(RULE,)) == dataclasses.replace(written, rules=(RULE,))
    assert (found.max_information, found.specificity(RULE)) == (3.0, 0.5)


@pytest.mark.parametrize(
    ("promise", "held"), [(None, None), (0.8, True), (0.88, True), (0.9, None), (0.98, None), (0.985, False)]
)
def test_a_promise_held_or_not_if_chance_alone_hardly_gives_so_many(promise: float | None, held: bool | None) -> None:
    assert dataclasses.replace(RULE, promise=promise).held is held


def test_a_promise_is_kept_by_answers_at_or_above_the_label_only() -> None:
    assert dataclasses.replace(RULE, promise=0.88, kept=70).held is False
    assert dataclasses.replace(RULE, promise=0.88, kept=95).held is True


def test_the_most_specific_rule_is_chosen_by_its_bound_and_never_by_images_it_learnt_from() -> None:
    bold = dataclasses.replace(RULE, rule="leaf", right=70, assured=0.55, information=3.0)
    seen = dataclasses.replace(RULE, rule="fitted", assured=0.99, information=2.9, is_seen=True)
    choice = choice_of(bold, seen, RULE, NEVER_WRONG)
    assert choice.most_specific(0.5) is bold
    assert choice.most_specific(0.87) is RULE
    assert choice.most_specific(0.9) is None, "answers at the root are no choice"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema_version": 2}, "Expected schema_version 1, but got 2"),
        ({"rules": []}, "no rule"),
        ({"split": 3}, "split 3"),
        ({"others": 1}, "others"),
    ],
)
def test_other_files_are_refused_in_one_line(change: dict[str, object], text: str, tmp_path: Path) -> None:
    file = write_rule_choice(choice_of(RULE), tmp_path / "choice.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=text) as raised:
        read_rule_choice(file)
    assert "cladewise choose" in str(raised.value)
