"""Audits of the labels of a run's data: probable errors, images that occur twice, classes to merge or to split."""

from __future__ import annotations

from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cladewise.auditing.classes import classes_that_are_one, classes_that_are_two, rival_classes
from cladewise.auditing.duplicates import find_duplicates
from cladewise.auditing.evidence import fold_config, gather, kept_together, was_trained_on
from cladewise.auditing.page import write_audit_page
from cladewise.auditing.result import Audit
from cladewise.auditing.suspicion import EXPECTED_ERRORS, check_expected_errors
from cladewise.auditing.tables import write_tables
from cladewise.datasets import Dataset
from cladewise.datasets.corrections import reviewed_images
from cladewise.engine import Run
from cladewise.engine.answering.groups import Grouping
from cladewise.engine.answering.scoring import columns_of
from cladewise.engine.feeding.features import cached_features
from cladewise.errors import InputError
from cladewise.runtimes import using

IntArray = NDArray[np.int64]

FOLDS = 5
MOST = 1000
"""Images on the page, by default."""


def audit(
    run: Run | str | PathLike[str],
    *,
    split: str = "train",
    folds: int = FOLDS,
    group_by: str | None = None,
    expected_errors: float = EXPECTED_ERRORS,
    most: int = MOST,
    seed: int = 0,
    runtime: str | None = None,
    progress: bool = True,
) -> Audit:
    """Look for labels that are worth a second look, and write a page to walk through them by keyboard.

    A model has learnt its own training labels, wrong ones included. Training images are therefore scored by heads that
    were fitted without them: the head of the run's method, on cached features of its encoder, once per fold. (If the
    encoder was trained on these labels it has seen them; only the head is fitted again.) Images of splits that the run
    was not trained on are scored by the run itself.

    Labels are ordered by the bits of their information that are expected to be false
    (:func:`~cladewise.auditing.suspicions`). Further lists: images whose label could be finer; images with the same
    content or nearly the same picture whose labels contradict each other, or that are in different splits; classes that
    are not told apart; and classes with two groups of images.

    Writes ``page.html``, ``labels.parquet`` (every image), ``suspects.csv``, ``finer.csv``, ``duplicates.csv``,
    ``classes.csv`` and ``audit.json`` to ``audit/<split>`` in the run folder, replacing an earlier audit; corrections
    made on the page stay. The heads are kept in ``audit/folds``, from which an interrupted audit goes on.

    Args:
        run: A trained run, or its folder.
        split: Splits to audit, joined with ``+``.
        folds: Number of heads to fit, each on all but one part of the images.
        group_by: Groups of images that are in one fold, since they show the same thing: a column, ``folder``,
            ``path:REGEX`` or a table, as for :func:`cladewise.evaluate`. Duplicates are in one fold in any case.
        expected_errors: Share of the labels that are assumed to be wrong, in (0, 1).
        most: Largest number of images on each list of the page.
        seed: Seed of the folds.
        runtime: Runtime of the image encoder; used only if images have to be encoded.
        progress: Show progress bars.

    Raises:
        InputError: A setting is wrong, the split does not exist, or the run's head cannot be fitted again.
    """
    run = Run.open(run).reopened()
    run.check_network()
    if folds < 2:
        raise InputError("at least 2 folds", folds)
    if most < 1:
        raise InputError("most of at least 1", most)
    check_expected_errors(expected_errors)
    dataset, folder = run.dataset, run.folder.audit(split)
    images = dataset.indices(split)
    with using(runtime):
        is_seen = was_trained_on(run.config, dataset, split)
        config = fold_config(run, split, run.folder.audit_folds) if is_seen else run.config
        features = cached_features(dataset, _in_splits(dataset), run.backbone, progress=progress)
        duplicates = find_duplicates(dataset, features.usable(_in_splits(dataset)), features, progress=progress)
        usable = features.usable(images)
        vectors = _unit(features.rows(usable))
        rivals = rival_classes(dataset.nodes[usable], vectors, dataset.taxonomy)
        column = None if group_by is None else _column(dataset, group_by)
        groups = kept_together(len(dataset), duplicates.pairs, column)
        evidence = gather(
            run,
            dataset,
            split,
            config,
            groups,
            rivals,
            folds=folds,
            seed=seed,
            expected_errors=expected_errors,
            progress=progress,
        )
    nodes = dataset.nodes[evidence.index]
    known = evidence.found.is_known
    one = classes_that_are_one(nodes[known], evidence.own[known], evidence.rivals[known], rivals, dataset.taxonomy)
    two = classes_that_are_two(dataset.nodes[usable], vectors, dataset.taxonomy, seed=seed)
    reviewed = np.isin(evidence.index, reviewed_images(dataset))
    settings = {
        "split": split,
        "folds": evidence.folds,
        "expected_errors": expected_errors,
        "group_by": group_by or "",
        "num_skipped": evidence.num_skipped,
        "model": run.model_hash,
    }
    rest = usable, duplicates, tuple(one), tuple(two), settings, folder
    result = Audit(dataset, split, evidence.index, evidence.found, reviewed, *rest)
    write_tables(result)
    write_audit_page(result, result.page, most=most)
    return result


def _in_splits(dataset: Dataset) -> IntArray:
    """The images of any split."""
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *dataset.splits.values()]))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _column(dataset: Dataset, group_by: str) -> IntArray:
    """Number of the group of each image of the dataset."""
    read = columns_of(dataset, np.arange(len(dataset)))
    return Grouping(group_by).of(dataset.paths, None if read is None else read()).group
