"""Evidence on labels by networks that have not seen the images: the folds of an audit, fitted on cached features."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise.auditing.folds import dealt, fingerprint, groups_of
from cladewise.auditing.suspicion import Suspicions, joined, suspicions
from cladewise.datasets import Dataset
from cladewise.engine import Run, fit
from cladewise.engine.ablation import changes_labels
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import scored
from cladewise.engine.training.frozen import with_frozen_encoder
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Fittable, Prediction
from cladewise.records import NO_SPLIT, RunConfig

IntArray = NDArray[np.int64]

LEFT_OUT, REST = "left-out", "audit-rest"
"""Names of the splits of a fold: the images that are scored, and those that the head is fitted on."""
SERIES = 10
"""Images that are linked as near-duplicates beyond this number are a series, such as icons, and are not kept together
in a fold: a fold of one would leave nothing of its kind to learn from."""


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """Scores and labels of images, by networks that have not seen them.

    Args:
        index: Index of each scored image in the dataset.
        found: The labels beside the evidence.
        rivals: Log-probabilities at the labels that each image's label is compared with ``[image, rival]``, in nats.
        own: Log-probability at the label itself.
        folds: Number of heads that were fitted; 0 if the run itself had not seen the images.
        num_skipped: Number of images that could not be read.
    """

    index: IntArray
    found: Suspicions
    rivals: NDArray[np.float64]
    own: NDArray[np.float64]
    folds: int
    num_skipped: int


def gather(
    run: Run,
    dataset: Dataset,
    split: str,
    config: RunConfig,
    groups: IntArray,
    rivals: IntArray,
    *,
    folds: int,
    seed: int,
    expected_errors: float,
    progress: bool = True,
) -> Evidence:
    """Score images by networks that have not seen them, and compare their labels with the scores.

    Images that the run was not trained on are scored by the run. Otherwise heads are fitted, each on all of the audited
    images but those of one fold; they are runs in the folder ``audit/folds`` of the run, so that an interrupted audit
    goes on where it stopped and a repeated one fits nothing.

    Args:
        run: The run.
        dataset: Its data.
        split: Splits of the images to audit, joined with ``+``.
        config: Configuration to fit heads with.
        groups: Number of the group of each image of the dataset; the images of one are in one fold.
        rivals: Nodes that each node is compared with ``[node, rival]``; -1 for none.
        folds: Number of folds.
        seed: Seed of the folds.
        expected_errors: See :func:`~cladewise.auditing.suspicion.suspicions`.
        progress: Show progress bars.

    Raises:
        InputError: There are fewer than 2 folds or images, or a split does not exist.
    """
    images = dataset.indices(split)
    tree, rule = run.answer_tree(), _rule(run)
    num_labels = int(np.unique(dataset.nodes[images]).size)
    parts: list[tuple[Suspicions, Tensor, Tensor]] = []
    index: list[IntArray] = []
    skipped = 0
    fitted = folds if was_trained_on(run.config, dataset, split) else 0
    learnt_from = dataset.indices(run.config.training.train_split)
    if fitted:
        all_seen = fold_scores(run, dataset, images, config, groups, folds=folds, seed=seed, progress=progress)
    else:
        all_seen = iter([scored(run, split, progress=progress)])
    for seen in all_seen:
        index.append(seen.index.numpy())
        known = _learnt(np.setdiff1d(images, index[-1]) if fitted else learnt_from, dataset)
        skipped += seen.num_skipped
        for prediction, target in _inferred(seen, tree, rule):
            found = suspicions(prediction, target, num_labels=num_labels, expected_errors=expected_errors)
            found = found.with_known(known[found.label])
            beside = torch.from_numpy(rivals)[target.cpu()].to(prediction.device)
            other = prediction.log_prob_of(beside.clamp(min=0)).double().masked_fill(beside < 0, torch.nan)
            own = prediction.log_prob_of(target[:, None]).double().squeeze(-1)
            parts.append((found, other.cpu(), own.cpu()))
    if not parts:
        raise InputError("images to audit that can be read", "none", at=f"{split} of {dataset.name}")
    return Evidence(
        np.concatenate(index),
        joined([part[0] for part in parts]),
        torch.cat([part[1] for part in parts]).numpy(),
        torch.cat([part[2] for part in parts]).numpy(),
        fitted,
        skipped,
    )


def kept_together(num_images: int, pairs: IntArray, column: IntArray | None) -> IntArray:
    """Group of each image: duplicates, unless they are a series, and the groups of a column.

    Args:
        num_images: Number of images.
        pairs: Pairs of duplicates ``[2, pair]``.
        column: Number of the group of each image by a column; -1 for none.

    Example:
        >>> chain = np.stack([np.arange(11), np.arange(1, 12)])
        >>> len(np.unique(kept_together(13, chain, None))), len(np.unique(kept_together(13, chain[:, :5], None)))
        (13, 8)
    """
    linked = groups_of(num_images, pairs)
    series = np.bincount(linked)[linked] > SERIES
    return groups_of(num_images, pairs[:, ~series[pairs[0]]], column)


def fold_config(run: Run, split: str, folder: Path) -> RunConfig:
    """The configuration to fit the heads of the folds with: the run's, with its encoder frozen.

    Raises:
        InputError: Its head cannot be fitted on features, or the run was trained on altered labels or migrated.
    """
    if run.carried is not None:
        advice = "Fit it again in the new tree: cladewise migrate --refit."
        raise InputError(
            "a run whose network answers in its own tree", "a migrated one", at=str(run.path), advice=advice
        )
    if changes_labels(run.config):
        advice = "Audit a run of the labels as they are."
        raise InputError(
            "a run that was trained on true labels", "an ablation of them", at=str(run.path), advice=advice
        )
    advice = "Audit a split that it was not trained on, or a run with a frozen encoder."
    config = with_frozen_encoder(run, folder / "encoder.safetensors", advice=advice)
    training = config.training
    watches = training.early_stop and not set(training.val_split.split("+")) & set(split.split("+"))
    validated = training.val_split if watches else NO_SPLIT
    early = training.early_stop if watches else 0
    training = dataclasses.replace(training, train_split=REST, val_split=validated, early_stop=early)
    return dataclasses.replace(config, training=training)


def was_trained_on(config: RunConfig, dataset: Dataset, split: str) -> bool:
    """Whether some of the images of a split were in the training of a run, so that heads have to be fitted.

    Splits can share images, so images are compared, not only names of splits.
    """
    return bool(np.isin(dataset.indices(split), dataset.indices(config.training.train_split)).any())


def _learnt(images: IntArray, dataset: Dataset) -> NDArray[np.bool_]:
    """Whether a model that is fitted on some images has learnt from one at or under each node."""
    nodes, tree = np.sort(dataset.nodes[images]), dataset.taxonomy
    return np.searchsorted(nodes, tree.end) > np.searchsorted(nodes, np.arange(tree.num_nodes))


def _rule(run: Run) -> Inference | None:
    """The method's own inference, unless it has to be fitted first."""
    rule = run.inference
    return None if isinstance(rule, Fittable) and not rule.is_fitted else rule


def _inferred(seen: Scored, tree: AnswerTree, rule: Inference | None) -> Iterator[tuple[Prediction, Tensor]]:
    for part, target in seen.parts():
        yield tree.prediction(part if rule is None else rule(part)), target


def fold_scores(
    run: Run,
    dataset: Dataset,
    images: IntArray,
    config: RunConfig,
    groups: IntArray,
    *,
    folds: int,
    seed: int,
    progress: bool,
) -> Iterator[Scored]:
    """The scores of each fold by a head that was fitted on the others; the arguments are those of :func:`gather`."""
    _, of_images = np.unique(groups[images], return_inverse=True)
    fold = dealt(of_images.reshape(-1), dataset.nodes[images], folds, seed)
    key = fingerprint(images, dataset.nodes[images], fold)
    for number in range(folds):
        left, rest = np.sort(images[fold == number]), np.sort(images[fold != number])
        if not left.size:
            continue  # fewer groups than folds
        if not rest.size:
            raise InputError("images of at least two groups", "one", at=dataset.name)
        data = dataclasses.replace(dataset, splits={**dataset.splits, REST: rest, LEFT_OUT: left})
        folder = run.folder.audit_folds / key / f"{number + 1}-of-{folds}"
        head = fit(config, folder, dataset=data, method=run.method, reuse=True, tell=False, progress=progress)
        yield scored(head, LEFT_OUT, data, progress=progress)
