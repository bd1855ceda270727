"""The protocol of unknown classes: classes held out of training, and what a run makes of their images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import decisions, novelty, ops
from cladewise.catalogue import from_spec, split_chain
from cladewise.datasets import Dataset
from cladewise.datasets.new_classes import NEW
from cladewise.decisions import Decision, LabelSets, Nodes
from cladewise.engine import Run
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.representing import represent
from cladewise.engine.answering.scoring import Scored, scored
from cladewise.engine.rules import inference_of
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.novelty import NoveltyScore
from cladewise.predictions import Prediction
from cladewise.records import Unknown, UnknownRule, UnknownScore, write_unknown
from cladewise.taxonomy import Taxonomy
from cladewise.unknowns.features import FEATURE_SCORES, FeatureScore, feature_fit
from cladewise.unknowns.measuring import measure_rule, measure_score

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Part = TypeVar("Part")

SCORES = (
    "max-share",
    "entropy",
    "max-logit",
    "energy",
    "entropy:over=children",
    "prohoc+own-mass",
    "prohoc:form=complement+own-mass",
)
"""Novelty scores that are measured by default, besides those of features."""
RULES = (
    "leaf",
    "majority",
    "new-class",
    "new-class:share=0.2",
    "prohoc+exclusive-mass",
    "prohoc+majority",
    "prohoc:form=complement+exclusive-mass",
    "prohoc:form=complement+majority",
)
"""Rules that are measured by default."""


def evaluate_unknown(
    run: Run | str | PathLike[str],
    *,
    split: str = "test",
    scores: Sequence[str] = SCORES,
    rules: Sequence[str] = RULES,
    features: Sequence[FeatureScore] | None = None,
    progress: bool = True,
) -> Unknown:
    """Measure what a run makes of images of classes that were held out of its training, and keep the result.

    Images of known classes are those of the split, those of held-out classes are in the split of its name with
    ``-new``, see :func:`cladewise.datasets.hold_out_classes`. A perfect rule answers the former with their leaf, the
    latter with the parent of their class. Images labelled at inner nodes may be of any class and take no part.

    Args:
        run: A run that was trained without some classes, or its folder.
        split: Split of the data; several are joined with ``+``.
        scores: Novelty scores, each ``name:option=value`` of :func:`cladewise.novelty.available`, after inferences that
            are joined to it with ``+``.
        rules: Decisions, likewise after inferences; rules with something to learn are fitted as in an evaluation.
        features: Scores of the encoder's features, see :func:`feature_fit`; all of them by default if the run has an
            encoder. They need the images of the training split.
        progress: Show progress bars.

    Raises:
        InputError: The run knows all classes, there are no images of one kind, or a score or rule does not exist, does
            not apply to the head, or may give several nodes per image.

    References: the measures of rules are those of Wallin et al., ProHOC, CVPR 2025, arXiv:2503.21397.
    """
    opened = Run.open(run).reopened()
    dataset = opened.dataset
    held_out = dataset.held_out_classes
    if held_out is None:
        raise InputError(
            "a run that some classes were held out of",
            "one that knows all classes of its data",
            at=str(opened.path),
            advice="Train one: cladewise train --hold-out 0.2.",
        )
    of_scores = [_ScoreValues(*_split(text, novelty.available(), "novelty score")) for text in dict.fromkeys(scores)]
    of_rules = [_RuleValues(*_split(text, decisions.available(), "decision")) for text in dict.fromkeys(rules)]
    new_split = "+".join(f"{name}{NEW}" for name in split.split("+"))
    seen = [scored(opened, name, progress=progress) for name in (split, new_split)]
    taxonomy = opened.taxonomy
    known_rows = taxonomy.is_leaf[seen[0].target.numpy()]
    leaf, parent = seen[0].target.numpy()[known_rows], seen[1].target.numpy()
    if not leaf.size:
        raise InputError("images of known leaves", "none", at=f"{split} of {dataset.name}")
    told = _gather(opened, seen, known_rows, [*of_scores, *of_rules], progress=progress)
    of_scores += _of_features(opened, dataset, seen, known_rows, features, progress=progress)
    result = Unknown(
        split=split,
        new_split=new_split,
        num_known=leaf.size,
        num_new=parent.size,
        left_out=int((~known_rows).sum()),
        new_by_depth={
            str(d): int(n) for d, n in enumerate(np.bincount(taxonomy.depth[parent], minlength=taxonomy.max_depth))
        },
        held_out=tuple(held_out.taxonomy.path_name(int(v)) for v in held_out.classes),
        scores=tuple(one.measured(leaf, parent, taxonomy) for one in of_scores),
        rules=tuple(one.measured(leaf, parent, taxonomy) for one in of_rules),
        model=opened.model_hash,
        fingerprint=taxonomy.fingerprint,
        data=" ".join(one.data for one in seen),
        warnings=tuple(dict.fromkeys(told)),
    )
    write_unknown(opened.folder.unknown(split), result)
    return result


@dataclasses.dataclass
class _ScoreValues:
    """A novelty score, what is inferred before it, and its values, image by image."""

    text: str
    before: str
    part: NoveltyScore
    known: list[FloatArray] = dataclasses.field(default_factory=list[FloatArray])
    new: list[FloatArray] = dataclasses.field(default_factory=list[FloatArray])

    def prepare(self, run: Run, before: Inference | None, *, progress: bool) -> tuple[str, ...]:
        """A score has nothing to learn."""
        return ()

    def add(self, prediction: Prediction, target: Tensor, *, is_known: bool) -> None:
        """Take the values of some images: at all ancestors of a known leaf, or at the root and the parent."""
        index = ops.tree_index(prediction.taxonomy, prediction.device)
        values, column = self.part(prediction).double(), torch.full_like(index.height, -1)
        column[index.inner_nodes] = torch.arange(len(index.inner_nodes), device=prediction.device)
        if not is_known:
            at = torch.stack([torch.zeros_like(target), column[target]], -1)
            self.new.append(values.gather(-1, at).cpu().numpy())
            return
        above = column[ops.ancestors(target, prediction.taxonomy)[:, : index.max_depth]]
        found = values.gather(-1, above.clamp_min(0)).masked_fill(above < 0, torch.nan)
        self.known.append(found.cpu().numpy())

    def measured(self, leaf: IntArray, parent: IntArray, taxonomy: Taxonomy) -> UnknownScore:
        """The measures of all images."""
        known, new = np.concatenate(self.known), np.concatenate(self.new)
        return measure_score(self.text, known, new, leaf, parent, taxonomy)


@dataclasses.dataclass
class _RuleValues:
    """A rule, what is inferred before it, and its answers, image by image."""

    text: str
    before: str
    part: Decision
    nodes: dict[bool, list[IntArray]] = dataclasses.field(default_factory=lambda: {True: [], False: []})
    called_new: dict[bool, list[BoolArray]] = dataclasses.field(default_factory=lambda: {True: [], False: []})

    def prepare(self, run: Run, before: Inference | None, *, progress: bool) -> tuple[str, ...]:
        """Fit the rule, if it has something to learn, and return what it warns of."""
        made = ready(run, self.part, before=before, progress=progress)
        self.part = made.rule
        return made.warnings

    def add(self, prediction: Prediction, target: Tensor, *, is_known: bool) -> None:
        """Take the answers for some images.

        Raises:
            InputError: The rule may give several nodes per image.
        """
        answer = self.part(prediction)
        if isinstance(answer, LabelSets):
            raise InputError("a rule with one node per image", f"{self.text}, which answers with sets of labels")
        is_nodes = isinstance(answer, Nodes)
        node = (answer.node if is_nodes else answer.node[..., -1]).cpu().numpy()
        said = answer.new if is_nodes else None
        self.nodes[is_known].append(node)
        is_inner = ~prediction.taxonomy.is_leaf[node]
        self.called_new[is_known].append(is_inner if said is None else said.cpu().numpy())

    def measured(self, leaf: IntArray, parent: IntArray, taxonomy: Taxonomy) -> UnknownRule:
        """The measures of all images."""
        nodes = [np.concatenate(self.nodes[is_known]) for is_known in (True, False)]
        called = [np.concatenate(self.called_new[is_known]) for is_known in (True, False)]
        return measure_rule(self.text, nodes[0], nodes[1], called[0], called[1], leaf, parent, taxonomy)


def _split(text: str, available: dict[str, type[Part]], what: str) -> tuple[str, str, Part]:
    """A text, the inferences that it begins with, and the part that it ends with."""
    *before, name = split_chain(text)
    inference_of("+".join(before) or None, None)
    return text, "+".join(before), from_spec(available, what, name)


def _gather(
    run: Run,
    seen: Sequence[Scored],
    known_rows: BoolArray,
    gathering: Sequence[_ScoreValues | _RuleValues],
    *,
    progress: bool,
) -> list[str]:
    """Take scores and answers in one pass over the images per inference, and return warnings from fitting."""
    tree, told = run.answer_tree(), list[str]()
    for text in dict.fromkeys(one.before for one in gathering):
        before = ready(run, inference_of(text or None, run.inference), progress=progress)
        told += before.warnings
        here = [one for one in gathering if one.before == text]
        for one in here:
            told += one.prepare(run, before.rule, progress=progress)
        for part, target, is_known in _parts(seen, known_rows):
            prediction = tree.prediction(part if before.rule is None else before.rule(part))
            for one in here:
                one.add(prediction, target, is_known=is_known)
    return told


def _parts(seen: Sequence[Scored], known_rows: BoolArray) -> Iterator[tuple[Prediction, Tensor, bool]]:
    """Predictions and labels in parts: of images of known leaves, then of new classes."""
    start = 0
    for part, target in seen[0].parts():
        rows = torch.from_numpy(known_rows[start : start + len(target)]).to(part.device)
        start += len(target)
        yield part[rows], target[rows], True
    for part, target in seen[1].parts():
        yield part, target, False


def _of_features(
    run: Run,
    dataset: Dataset,
    seen: Sequence[Scored],
    known_rows: BoolArray,
    kinds: Sequence[FeatureScore] | None,
    *,
    progress: bool,
) -> list[_ScoreValues]:
    """Values of the scores of features."""
    if kinds is None:
        kinds = FEATURE_SCORES if run.has_network else ()
    if not kinds:
        return []

    def vectors(indices: IntArray) -> tuple[Tensor, IntArray]:
        found = represent(run, dataset, indices, space="encoder", progress=progress)
        return found.vectors[:, 0], found.index

    examples, index = vectors(dataset.indices(run.config.training.train_split))
    labels = torch.from_numpy(dataset.nodes[index])
    known, new = (vectors(of.index.numpy())[0] for of in seen)
    kept = torch.from_numpy(known_rows)
    found: list[_ScoreValues] = []
    for kind in kinds:
        values = _ScoreValues(kind, "", novelty.make("max-logit"))
        for features, target, is_known in ((known[kept], seen[0].target[kept], True), (new, seen[1].target, False)):
            fit = feature_fit(kind, features, examples, labels, run.taxonomy)
            values.add(fit, target, is_known=is_known)
        found.append(values)
    return found
