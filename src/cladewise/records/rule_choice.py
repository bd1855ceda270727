"""Decision rules judged on the images of a split, as a record: how often each is right, and how specific it is."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.promises import PromiseKept
from cladewise.records.reading import building, check_types, read_json

CONFIDENCE = 0.95
"""Confidence of all intervals and bounds of the record."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedRule:
    """The answers of one decision rule on the images, in numbers. An answer is right if the label is at or under it.

    An answer below a label at an internal node counts as that label.

    Args:
        rule: The text of the rule, as ``--decision`` takes it.
        name: Name of the decision, without options.
        about: What it answers, in one sentence.
        others: Texts of further rules that answer the same for every image.
        is_own: Whether it is the run's own decision.
        right: Number of right answers.
        low: Lower end of the 95% interval of the share of right answers (Clopper and Pearson).
        high: Upper end of that interval.
        assured: Lower bound of that share, which holds for all rules of the record together with 95% confidence
            (Bonferroni), and so for any that is chosen among them.
        information: Mean information of the answers in bits.
        depth: Mean depth of the answers in edges.
        leaves: Share of the answers that are leaves.
        answers: Number of answers at each level, the root's first.
        wrong: Number of wrong answers at each level, the root's first.
        severity: Mean height of the lowest common ancestor of a wrong answer and its label; NaN if none is wrong.
        distance: Mean height of the lowest common ancestor of an answer and its label, 0 where the answer is the label
            or below it.
        promise: Share of right answers that the rule promises; ``None`` if it promises none.
        confidence: Confidence with which it is promised, over the draw of the images that the rule was fitted on;
            ``None`` if the share is promised on average over them, or nothing is.
        kept: Number of answers with the label at or under them, which is what is promised: unlike ``right``, it does
            not count answers below a label at an internal node. ``None`` if nothing is promised.
        fitted_on: Split that it was fitted on; empty if there is nothing to fit.
        num_fitted: Number of images that it was fitted on.
        is_seen: Whether it was fitted on images that it is judged on.
        warnings: Warnings from fitting it.
        beaten_by: Text of a rule that is both more often right and more specific, as measured; empty if there is none.
    """

    rule: str
    name: str
    about: str = ""
    others: tuple[str, ...] = ()
    is_own: bool = False
    right: int
    low: float
    high: float
    assured: float
    information: float
    depth: float
    leaves: float
    answers: tuple[int, ...]
    wrong: tuple[int, ...]
    severity: float
    distance: float
    promise: float | None = None
    confidence: float | None = None
    kept: int | None = None
    fitted_on: str = ""
    num_fitted: int = 0
    is_seen: bool = False
    warnings: tuple[str, ...] = ()
    beaten_by: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        if len(self.answers) != len(self.wrong):
            raise ValueError(f"{len(self.answers)} levels of answers and {len(self.wrong)} of wrong ones")

    @property
    def num_images(self) -> int:
        """Number of images."""
        return sum(self.answers)

    @property
    def correct(self) -> float:
        """Share of right answers."""
        return self.right / self.num_images

    @property
    def held(self) -> bool | None:
        """Whether the promise held on these images: ``None`` if there is none, or the images are too few to tell.

        It is the test of :attr:`PromiseKept.outcome <cladewise.records.PromiseKept.outcome>`.
        """
        if self.promise is None:
            return None
        kept = PromiseKept("", self.promise, self.right if self.kept is None else self.kept, self.num_images)
        return {"held": True, "did not hold": False}.get(kept.outcome)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChoiceExample:
    """An image on which some of the rules differ.

    Args:
        path: Its path.
        target: Its label, a node.
        answers: The answer of each rule, in the order of the rules.
        right: Whether each of them is right.
    """

    path: str
    target: int
    answers: tuple[int, ...]
    right: tuple[bool, ...]

    def __post_init__(self) -> None:
        check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuleChoice:
    """Decision rules to choose from, judged on the same images.

    Args:
        run: The run folder, as it was given.
        method: Its method; empty if the scores are of somebody else.
        split: Split of the images.
        inference: Inference before every decision; ``none`` if there is none.
        num_images: Number of images, or of groups of images.
        num_skipped: Number of images that could not be read.
        fingerprint: Fingerprint of the taxonomy.
        model: Hash of the weights.
        data: Digest of the images and labels.
        level_names: Names of the levels, from 1 on.
        num_leaves: Number of leaves of the tree.
        max_depth: Depth of its deepest leaf.
        rules: The rules, the most specific first. No two that promise the same answer the same for every image.
        examples: Images on which they differ.
        names: Paths, as names from the root down, of the nodes in the examples.
        image_root: Folder that the paths of the examples are relative to; empty if there are no images.
        credit: Source of the images.
        left_out: Rules that do not apply, with the reason.
        notes: Remarks for the reader, such as that rules were fitted on the images they are judged on.
        options: Options of the command line for the same inference and groups, quoted for a shell.
        grouped_by: How images were grouped, as for ``cladewise evaluate``; empty if each was judged on its own.
    """

    run: str
    method: str = ""
    split: str
    inference: str = "none"
    num_images: int
    num_skipped: int = 0
    fingerprint: str
    model: str = ""
    data: str = ""
    level_names: tuple[str, ...]
    num_leaves: int
    max_depth: int
    rules: tuple[JudgedRule, ...]
    examples: tuple[ChoiceExample, ...] = ()
    names: Mapping[int, tuple[str, ...]] = dataclasses.field(default_factory=dict[int, tuple[str, ...]])
    image_root: str = ""
    credit: str = ""
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    options: str = ""
    grouped_by: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        if not self.rules:
            raise ValueError("no rule")

    @property
    def unit(self) -> str:
        """The plural of what is answered: ``"images"``, or ``"groups"`` of them."""
        return "groups" if self.grouped_by else "images"

    @property
    def max_information(self) -> float:
        """Information of a leaf in bits, the most that an answer can have."""
        return math.log2(self.num_leaves)

    def specificity(self, rule: JudgedRule) -> float:
        """Mean information of a rule's answers as a share of :attr:`max_information`; 1 if the tree is one leaf."""
        return rule.information / self.max_information if self.max_information > 0 else 1.0

    @property
    def unbeaten(self) -> tuple[JudgedRule, ...]:
        """The rules that no other beats in both correctness and specificity."""
        return tuple(rule for rule in self.rules if not rule.beaten_by)

    def most_specific(self, correct: float) -> JudgedRule | None:
        """The most specific rule that is right at least so often.

        A rule qualifies by :attr:`JudgedRule.assured`, a lower bound that allows for the choice among all rules. Rules
        fitted on the images that they are judged on do not take part.

        Args:
            correct: Share of right answers, in [0, 1].

        Returns:
            The rule, of equally specific ones the first; ``None`` if no rule is that sure, other than answers at the
            root.
        """
        sure = [rule for rule in self.rules if rule.assured >= correct and not rule.is_seen and rule.information > 0]
        return max(sure, key=lambda rule: rule.information, default=None)


def write_rule_choice(choice: RuleChoice, file: str | PathLike[str]) -> Path:
    """Write a record as JSON, and return its path.

    Raises:
        InputError: The file cannot be written.
    """
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(choice)}
    for rule in content["rules"]:
        rule["severity"] = None if math.isnan(rule["severity"]) else rule["severity"]
    write_text(Path(file), json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return Path(file)


def read_rule_choice(file: str | PathLike[str]) -> RuleChoice:
    """Read a record that :func:`write_rule_choice` wrote.

    Raises:
        InputError: The file is not such a record, or of another version.

    Example:
        >>> rule = JudgedRule(rule="leaf", name="leaf", right=8, low=0.44, high=0.97, assured=0.44, information=1.0,
        ...     depth=1.0, leaves=1.0, answers=(0, 10), wrong=(0, 2), severity=1.0, distance=0.2)
        >>> choice = RuleChoice(run="a", split="test", num_images=10, fingerprint="0", level_names=("kind",),
        ...     num_leaves=2, max_depth=1, rules=(rule,))
        >>> file = write_rule_choice(choice, getfixture("tmp_path") / "choice.json")
        >>> read_rule_choice(file) == choice
        True
    """
    file = Path(file)
    content = read_json(file, "a choice of rules", advice=_ADVICE)
    with building("a choice of rules as cladewise choose writes it", at=str(file), advice=_ADVICE):
        content["rules"] = tuple(JudgedRule(**_with_nan(_tuples(rule))) for rule in content["rules"])
        content["examples"] = tuple(ChoiceExample(**_tuples(example)) for example in content["examples"])
        content["names"] = {int(node): tuple(names) for node, names in content["names"].items()}
        return RuleChoice(**_tuples(content))


def _tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(cast("list[Any]", value)) if isinstance(value, list) else value for name, value in content.items()
    }


def _with_nan(rule: dict[str, Any]) -> dict[str, Any]:
    return {**rule, "severity": math.nan if rule["severity"] is None else rule["severity"]}


_ADVICE = "Make it again: cladewise choose RUN --record FILE."
