"""Accuracy before and after a migration, by what happened to the label."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets import Dataset
from cladewise.decisions import Decision, LabelSets, Nodes
from cladewise.engine.answering.feature_scores import LARGEST_KEPT, score_bytes
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import compute_scores, data_digest, read_scores
from cladewise.engine.answering.translated import Translated
from cladewise.engine.run import Run
from cladewise.predictions import Fittable
from cladewise.records.migration import GroupAccuracy, NeedsImages
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import CHANGES, Correspondence

IntArray = NDArray[np.int64]

UNTOUCHED = "untouched"


@dataclasses.dataclass(frozen=True)
class Answers:
    """Answers of a run on labelled images: nodes of its tree, by index in the data."""

    taxonomy: Taxonomy
    index: IntArray
    answer: IntArray
    label: IntArray


def scores_of(run: Run, split: str, *, progress: bool = True) -> Scored | str:
    """Scores of a split by the network of a run, or why there are none. Nothing is written into its folder."""
    unmoved = run.before_migration
    dataset = unmoved.dataset_if_there
    if dataset is None:
        return read_scores(unmoved, split, "", progress=progress) or "the images are no longer there"
    if split not in dataset.splits or not dataset.indices(split).size:
        return f"there are no images in {split}"
    if score_bytes(unmoved, len(dataset.indices(split))) > LARGEST_KEPT:
        return f"the scores of {split} take more than {LARGEST_KEPT / 1e6:,.0f} MB: evaluate both runs instead"
    kept = read_scores(unmoved, split, data_digest(unmoved, split, dataset), dataset, progress=progress)
    return kept if kept is not None else compute_scores(unmoved, split, dataset, progress=progress)


def answers_of(run: Run, seen: Scored) -> Answers:
    """Answers of a run by its own rule from the scores of its network.

    The rule is the method's own, or the most probable leaf if that has to be fitted first.
    """
    rule: Decision = run.method.watched()
    if run.carried is not None:
        rule = Translated(rule)
    infer = run.method.inference()
    if isinstance(infer, Fittable) and not infer.is_fitted:
        infer = None
    tree, found = run.answer_tree(), list[IntArray]()
    for part, _ in seen.parts():
        answer = rule(tree.prediction(part if infer is None else infer(part)))
        assert not isinstance(answer, LabelSets), "a rule that is watched answers with nodes"
        found.append((answer.node if isinstance(answer, Nodes) else answer.node[..., -1]).cpu().numpy())
    index = seen.index.numpy()
    return Answers(run.taxonomy, index, np.concatenate(found), tree.nodes(seen.target).numpy())


def rule_of(run: Run) -> str:
    """Name of the rule by which :func:`answers_of` answers."""
    return run.method.watched().handle


def compared(before: Answers, after: Answers, carried: CarryOver, found: Correspondence) -> tuple[GroupAccuracy, ...]:
    """Accuracies by the kind of change of the label, the untouched first.

    Of labels that are placed in the new tree with others, or out of which something was moved, the change is that of
    the correspondence; a label with several rows (split) has the same change in all.
    """
    _, old_rows, new_rows = np.intersect1d(before.index, after.index, assume_unique=True, return_indices=True)
    label, answer = before.label[old_rows], before.answer[old_rows]
    new_label, new_answer = after.label[new_rows], after.answer[new_rows]
    code = np.full(carried.before.num_nodes, CHANGES.index("same"))
    code[found.old_nodes[found.old_nodes >= 0]] = found.change_codes[found.old_nodes >= 0]
    groups: list[GroupAccuracy] = []
    for name in (UNTOUCHED, *CHANGES):
        if name == UNTOUCHED:
            images = carried.untouched[label]
        else:
            images = ~carried.untouched[label] & (code[label] == CHANGES.index(name))
        if images.any():
            right, new_right = (answer == label)[images], (new_answer == new_label)[images]
            groups.append(
                GroupAccuracy(
                    change=name,
                    images=int(images.sum()),
                    right_before=int(right.sum()),
                    right_after=int(new_right.sum()),
                    turned=int((right != new_right).sum()),
                    above_before=int(before.taxonomy.contains(answer, label)[images].sum()),
                    above_after=int(after.taxonomy.contains(new_answer, new_label)[images].sum()),
                )
            )
    return tuple(groups)


def needing_images(found: Correspondence, old: Dataset | None, new: Dataset | None) -> tuple[NeedsImages, ...]:
    """Leaves of the new tree that the run has no images of, because they were added or are part of what was split."""
    tree = found.new
    number = np.zeros(tree.num_nodes, dtype=np.int64) if new is None else _counts(new)
    before = np.zeros(found.old.num_nodes, dtype=np.int64) if old is None else _counts(old)
    origin = np.full(tree.num_nodes, -1)
    u, v = found.pairs.T
    split = found.num_counterparts[u] > 1
    origin[v[split]] = u[split]
    lacking = np.zeros(tree.num_nodes, dtype=np.bool_)
    lacking[found.added] = True
    lacking[v[split]] = True
    nodes = np.flatnonzero(lacking & tree.is_leaf & (number == 0))
    return tuple(
        NeedsImages(
            tree.path_name(node),
            found.old.path_name(int(origin[node])) if origin[node] >= 0 else "",
            int(number[node]),
            int(before[origin[node]]) if origin[node] >= 0 else 0,
        )
        for node in nodes.tolist()
    )


def _counts(dataset: Dataset) -> IntArray:
    return np.bincount(dataset.nodes, minlength=dataset.taxonomy.num_nodes)
