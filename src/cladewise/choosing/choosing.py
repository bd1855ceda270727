"""Judges every decision rule on a run's images, and writes the page to choose one on."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cladewise.choosing.candidates import candidate_rules
from cladewise.choosing.examples import differing_images
from cladewise.choosing.judging import Answers, answers_of, is_right, judged, with_beaten
from cladewise.datasets import Dataset
from cladewise.decisions import Decision
from cladewise.engine import Run
from cladewise.engine.answering.fitted_rules import Ready
from cladewise.engine.answering.folding import num_folds
from cladewise.engine.answering.groups import DEFAULT, Grouping
from cladewise.engine.answering.readying import Readying
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import scored
from cladewise.engine.composed import Composed
from cladewise.engine.rules import decision_of, inference_of, only_allowed, spec_of
from cladewise.errors import InputError, warn
from cladewise.inference import Inference
from cladewise.inference.columns import notes_on
from cladewise.predictions import Pool
from cladewise.records import Tree, read_toml
from cladewise.records.rule_choice import ChoiceExample, JudgedRule, RuleChoice, write_rule_choice
from cladewise.report.choosing_page import write_choosing_page
from cladewise.runtimes import using
from cladewise.taxonomy import Taxonomy

Rule = TypeVar("Rule", bound=Inference | Decision | None)

EXAMPLES_EACH = 6
"""Example images wanted for each pair of rules."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Result of :func:`choose`.

    Args:
        choice: The rules with their figures.
        page: The HTML file, if one was written.
        record: The JSON file, if one was written.
    """

    choice: RuleChoice
    page: Path | None = None
    record: Path | None = None

    @property
    def rules(self) -> tuple[JudgedRule, ...]:
        """The rules, the most specific first."""
        return self.choice.rules

    def most_specific(self, correct: float) -> JudgedRule | None:
        """The most specific rule that is right at least so often: :meth:`RuleChoice.most_specific`."""
        return self.choice.most_specific(correct)


def choose(
    run: Run | str | Path,
    *,
    split: str = "test",
    out: str | PathLike[str] | None = "choose.html",
    record: str | PathLike[str] | None = None,
    decision: str | Sequence[str] = (),
    only: bool = False,
    inference: str | Inference | None = None,
    data: Dataset | None = None,
    fit_split: str | None = None,
    tree: Tree = "true",
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    names: str | None = None,
    examples: int = 60,
    runtime: str | None = None,
    progress: bool = True,
) -> Chosen:
    """Judge decision rules on a run's images, and write a page on which a person chooses one.

    For every rule: how often it is right, how specific its answers are and at which levels they stop, whether a
    promise held, and how far off its mistakes are. Rules that are fitted are fitted on another split. No evaluation is
    written; the parameters of fitted rules are kept in the run folder, as by :func:`cladewise.evaluate`.

    Args:
        run: A run, or its folder.
        split: Split of the images that rules are judged on; several are joined with ``+``.
        out: The HTML file to write; ``None`` for none.
        record: A JSON file to write the figures to, see :class:`cladewise.records.RuleChoice`.
        decision: The text of a further rule, or of several, beside :func:`candidate_rules` and the run's own.
        only: Judge these alone.
        inference: Inference before every rule; the method's own by default, ``"none"`` for none.
        data: Other data than the run's, with the same taxonomy.
        fit_split: Split to fit rules on, or ``5-fold``; each rule's own by default.
        tree: Tree to answer in, as for :func:`cladewise.evaluate`.
        allowed: Labels that are possible at all, as for :func:`cladewise.evaluate`.
        group_by: Column of groups of images that are answered as one, such as a sequence, as for
            :func:`cladewise.evaluate`. Rules are fitted and judged on groups.
        pool: How the predictions of a group are pooled.
        names: Language to name nodes in, on the page; their own names by default.
        examples: Largest number of example images on the page, of images on which rules differ; 0 for none.
        runtime: Runtime of the image encoder; used only if images have to be encoded.
        progress: Show progress bars.

    Raises:
        InputError: As :func:`cladewise.evaluate`, or a file cannot be written. A candidate that does not apply to these
            scores is left out, but one of ``decision`` that does not is an error.
    """
    run = Run.open(run).reopened()
    further = [decision] if isinstance(decision, str) else list(decision)
    if only and not further:
        raise InputError('decision="..." with only=True', "none")
    own = spec_of(run.decision)
    texts = dict.fromkeys(further if only else [*candidate_rules(), own, *further])
    grouping = None if group_by is None else Grouping(group_by, pool)
    rules = Readying(run, run.answer_tree(tree), fit_split, grouping, progress)
    judges = _Judges(rules, split, data is None)
    with using(runtime):
        seen = scored(run, split, data, progress=progress)
        infer = rules.ready(only_allowed(inference_of(inference, run.inference), allowed))
        about = notes_on(infer.rule, seen.columns_for(infer.rule), run.own_taxonomy)
        seen, after, of_groups = rules.in_groups(seen, infer)
        answers, failed = judges.answers(list(texts), seen, infer, after, further)
    root, credit = (str(data.root), data.credit) if data is not None else _images_of(run)
    choice = RuleChoice(
        run=run.path.as_posix(),
        method=run.config.method,
        split=split,
        inference=after.spec,
        num_images=len(answers.target),
        num_skipped=seen.num_skipped,
        model=run.model_hash,
        data=seen.data,
        image_root=root,
        credit=credit,
        left_out=tuple(f"{text}: {error}" for text, error in failed.items()),
        options=_options(infer.spec, grouping),
        grouped_by=group_by or "",
        **judges.of_rules(answers, own, seen.paths, examples, names),
    )
    for note in (*choice.notes, *about):
        warn(note, at=str(run.path))
    choice = dataclasses.replace(choice, notes=(*choice.notes, *about, *of_groups))
    return Chosen(
        choice,
        None if out is None else write_choosing_page(choice, out),
        None if record is None else write_rule_choice(choice, record),
    )


@dataclasses.dataclass(frozen=True)
class _Judges:
    """Fits the rules of a run, applies them to the images of a split, and judges their answers.

    Args:
        rules: The run, and the circumstances under which its rules are fitted.
        split: Split of the images.
        is_own_data: Whether the images are of the run's own data.
    """

    rules: Readying
    split: str
    is_own_data: bool

    def answers(
        self, texts: Sequence[str], seen: Scored, infer: Ready[Any], after: Ready[Any], asked: Sequence[str]
    ) -> tuple[Answers, dict[str, InputError]]:
        """Answers of the rules that apply, and why the others do not.

        Args:
            texts: The rules.
            seen: The images, or groups of them.
            infer: The inference that rules are fitted after.
            after: What of it is left to apply to ``seen``.
            asked: Rules that have to apply.

        Raises:
            InputError: One that was asked for does not apply.
        """
        failed: dict[str, InputError] = {}
        rules: list[Ready[Decision]] = []
        for text in texts:
            try:
                rule = self.rules.ready(decision_of(text, self.rules.run.decision), infer.rule)
            except InputError as error:
                if text in asked:
                    raise
                failed[text] = error
            else:
                rules.append(dataclasses.replace(rule, spec=text))
        found = answers_of(rules, seen, self.rules.tree, after.rule)
        for text in asked:
            if text in found.left_out:
                raise found.left_out[text]
        return found, failed | found.left_out

    def of_rules(
        self, answers: Answers, own: str, paths: Sequence[str], examples: int, names: str | None
    ) -> dict[str, Any]:
        """The entries of the record that depend on the answers."""
        first, others = answers.distinct()
        taxonomy = self.rules.tree.taxonomy
        each = zip(first, others, strict=True)
        rules = with_beaten([self.judged(answers, place, same, own, len(first)) for place, same in each])
        place_of = {answers.rules[place].spec: place for place in first}
        nodes = answers.nodes[[place_of[rule.rule] for rule in rules]]
        shown = differing_images(nodes, each=EXAMPLES_EACH, most=examples)
        nodes, target = nodes[:, shown], answers.target[shown]
        return {
            "fingerprint": taxonomy.fingerprint,
            "level_names": taxonomy.level_names,
            "num_leaves": taxonomy.num_leaves,
            "max_depth": taxonomy.max_depth,
            "rules": tuple(rules),
            "examples": _examples(nodes, [paths[int(image)] for image in shown], target, taxonomy),
            "names": _names(np.union1d(nodes, target), taxonomy, names),
            "notes": self.notes(rules),
        }

    def judged(self, answers: Answers, place: int, same: Sequence[int], own: str, num_rules: int) -> JudgedRule:
        """The figures of one rule, and which others answer the same."""
        rule, others = answers.rules[place], tuple(answers.rules[other].spec for other in same)
        figures = judged(rule, answers.nodes[place], answers.target, self.rules.tree.taxonomy, num_rules=num_rules)
        return dataclasses.replace(
            figures,
            others=others,
            is_own=own in (rule.spec, *others),
            num_fitted=self.num_fitted(rule),
            is_seen=self.is_own_data and bool(self.splits_of(rule.split) & self.splits_of(self.split)),
        )

    def splits_of(self, split: str) -> set[str]:
        """The splits that a text joins; of folds, those of training."""
        joined = self.rules.run.config.training.train_split if num_folds(split) else split
        return set(filter(None, joined.split("+")))

    def num_fitted(self, rule: Ready[Decision]) -> int:
        """Number of images, or groups of them, that the decision was fitted on; 0 if there was nothing to fit."""
        if not rule.split:
            return 0
        if num_folds(rule.split):
            count = len(self.rules.run.dataset.indices(self.rules.run.config.training.train_split))
        else:
            seen = scored(self.rules.run, rule.split, progress=self.rules.progress)
            count = len(self.rules.in_groups(seen, Ready(None, "", ""))[0].target)
        whole = decision_of(rule.spec, self.rules.run.decision)
        return len(whole.fitting_rows(count)[1]) if isinstance(whole, Composed) else count

    def notes(self, rules: Sequence[JudgedRule]) -> tuple[str, ...]:
        """Remarks on how far the figures can be trusted."""
        found: list[str] = []
        if self.is_own_data and self.splits_of(self.split) & self.splits_of(self.rules.run.config.training.train_split):
            found.append(
                f"the network was trained on images of {self.split}: on new ones all rules are right less often"
            )
        if any(rule.is_seen for rule in rules):
            found.append(
                f"fitted rules learnt from images of {self.split}, on which they are judged: choose among the others, "
                "or judge on another split"
            )
        return tuple(found)


def _options(inference: str, grouping: Grouping | None) -> str:
    """Options of ``evaluate`` and ``predict`` for the same inference and groups, quoted for a shell."""
    words = ["--inference", inference]
    if grouping is not None:
        words += ["--group-by", grouping.by, "--pool", grouping.pool]
    return shlex.join(words)


def _images_of(run: Run) -> tuple[str, str]:
    """Folder that the paths of the run's images are relative to, and their source."""
    images = read_toml(run.folder.config, "a configuration", advice="Make the run again.").get("images", {})
    return str(images.get("root", "")), str(images.get("credit", ""))


def _examples(
    nodes: NDArray[np.int32], paths: Sequence[str], target: NDArray[np.int64], taxonomy: Taxonomy
) -> tuple[ChoiceExample, ...]:
    """The example images with their answers ``[rule, image]``."""
    right = is_right(nodes, np.broadcast_to(target, nodes.shape).copy(), taxonomy)
    return tuple(
        ChoiceExample(path=path, target=label, answers=tuple(answered), right=tuple(good))
        for path, label, answered, good in zip(paths, target.tolist(), nodes.T.tolist(), right.T.tolist(), strict=True)
    )


def _names(nodes: NDArray[np.int64], taxonomy: Taxonomy, language: str | None) -> dict[int, tuple[str, ...]]:
    """Path of each node, as names from the root down."""
    names = taxonomy.names if language is None else taxonomy.names_in(language)
    start = int(taxonomy.synthetic_root)
    return {node: tuple(str(names[step]) for step in taxonomy.path(node)[start:]) for node in nodes.tolist()}
