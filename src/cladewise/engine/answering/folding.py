"""Cross-validation of a run: scores of its training images by networks trained without them."""

from __future__ import annotations

import dataclasses
import re

import torch

from cladewise import datasets
from cladewise.engine.ablation import changes_labels
from cladewise.engine.answering.feature_scores import LARGEST_KEPT
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import columns_of, data_digest, scored
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.predictions.storage import concatenate

LEFT_OUT = "left-out"
"""Name of the split that a fold's network is not trained on."""

FOLDS = re.compile(r"([1-9]\d*)-fold")


def num_folds(split: str) -> int | None:
    """The number of folds in a split name such as ``5-fold``; ``None`` for other names.

    Raises:
        InputError: The number of folds is 1.

    Example:
        >>> num_folds("5-fold"), num_folds("train+val")
        (5, None)
    """
    match = FOLDS.fullmatch(split)
    if match is None:
        return None
    if int(match[1]) < 2:
        raise InputError("at least 2 folds, such as 5-fold", repr(split))
    return int(match[1])


def out_of_fold(run: Run, folds: int, *, progress: bool = True) -> Scored:
    """Scores of the images that a run was trained on, each by a network trained without it.

    The networks are runs of the same configuration in the folder ``folds`` of the run; existing ones are reused. A rule
    can then be fitted on every training image as if it were unseen, which helps if the validation split is small or
    has no images of some classes. Of folds with too many scores to be held in memory, random images are scored.

    Args:
        run: The run to cross-validate.
        folds: Number of networks to train, each on all but one part of the training split.
        progress: Show progress bars.

    Raises:
        InputError: The run was trained on altered labels.
    """
    from cladewise.engine.training.fitting import fit  # imports Lightning, which answering does without otherwise

    if changes_labels(run.config):
        raise InputError(
            "a run that was trained on true labels, for cross-validation",
            "one with wrong or coarse ones",
            at=str(run.path),
            advice="Let rules learn from another split.",
        )
    split, parts = run.config.training.train_split, list[Scored]()
    for number in range(folds):
        data = datasets.fold(run.dataset, split, number, folds, run.config.seed, into=LEFT_OUT)
        if data.indices(LEFT_OUT).size == 0:
            continue  # fewer images than folds
        config = dataclasses.replace(run.config, data=data.source)
        folder = run.folder.path / "folds" / f"{number + 1}-of-{folds}"
        copy = fit(config, folder, dataset=data, method=run.method, reuse=True, tell=False, progress=progress)
        parts.append(scored(copy, LEFT_OUT, data, progress=progress))
    samples = [part.sample(LARGEST_KEPT // folds) for part in parts]
    index = torch.cat([part.index[chosen] for part, (_, chosen) in zip(parts, samples, strict=True)])
    return Scored(
        concatenate([prediction for prediction, _ in samples]),
        torch.cat([part.target[chosen] for part, (_, chosen) in zip(parts, samples, strict=True)]),
        index,
        [part.paths[i] for part, (_, chosen) in zip(parts, samples, strict=True) for i in map(int, chosen)],
        sum(part.num_skipped for part in parts),
        data_digest(run, split, run.dataset_if_there),
        columns_of(run.dataset, index.numpy()),
    )
