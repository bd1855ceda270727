"""Audits of the labels of a run's data: probable errors, images that occur twice, classes to merge or to split."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.atomic import replacing
from cladewise.auditing.classes import OneClass, TwoKinds, classes_that_are_one, classes_that_are_two, rival_classes
from cladewise.auditing.duplicates import Duplicates, find_duplicates
from cladewise.auditing.evidence import fold_config, gather, kept_together, was_trained_on
from cladewise.auditing.page import write_audit_page
from cladewise.auditing.serving import AuditServer
from cladewise.auditing.suspicion import EXPECTED_ERRORS, VERDICTS, Suspicions, check_expected_errors
from cladewise.datasets import Dataset
from cladewise.datasets.corrections import reviewed_images
from cladewise.drawing.tables import write_csv
from cladewise.engine import Run
from cladewise.engine.answering.groups import Grouping
from cladewise.engine.answering.scoring import columns_of
from cladewise.engine.feeding.features import cached_features
from cladewise.errors import InputError
from cladewise.parquet import write_parquet
from cladewise.records.audit import AuditRecord, write_audit
from cladewise.runtimes import using
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.all_paths import path_texts

IntArray = NDArray[np.int64]

FOLDS = 5
MOST = 1000
"""Images on the page, by default."""
PAGE, RECORD = "page.html", "audit.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """Result of :func:`audit`.

    Args:
        dataset: The data.
        split: Splits of the audited images.
        index: Index in the dataset of each audited image.
        found: The labels beside the evidence, one value per audited image.
        reviewed: Whether each image is decided by earlier corrections.
        usable: Index in the dataset of each audited image that has features, in the order of ``two_kinds``.
        duplicates: Pairs of images that show the same picture.
        one_class: Pairs of classes that are not told apart, the most certain first.
        two_kinds: Classes with two groups of images, the farthest apart first.
        settings: The entries of :attr:`record` that are not counted here.
        folder: The folder with the page and the tables.
    """

    dataset: Dataset
    split: str
    index: IntArray
    found: Suspicions
    reviewed: NDArray[np.bool_]
    usable: IntArray
    duplicates: Duplicates
    one_class: tuple[OneClass, ...]
    two_kinds: tuple[TwoKinds, ...]
    settings: Mapping[str, Any]
    folder: Path

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree of the labels."""
        return self.dataset.taxonomy

    @property
    def page(self) -> Path:
        """The page to walk through the images."""
        return self.folder / PAGE

    @property
    def suspects(self) -> IntArray:
        """Positions, among the audited images, of the labels that are probably wrong, the most expected bits first."""
        return self._unreviewed(self.found.order())

    @property
    def finer(self) -> IntArray:
        """Positions of the images whose label could be finer, the most further information first."""
        return self._unreviewed(self.found.finer())

    def _unreviewed(self, order: IntArray) -> IntArray:
        return order[~self.reviewed[order]]

    @cached_property
    def contradict(self) -> NDArray[np.bool_]:
        """Whether the labels of each pair of duplicates contradict each other: neither lies under the other."""
        first, second = self.dataset.nodes[self.duplicates.first], self.dataset.nodes[self.duplicates.second]
        return ~(self.taxonomy.covers(first, second) | self.taxonomy.covers(second, first))

    @cached_property
    def across(self) -> NDArray[np.bool_]:
        """Whether the images of each pair of duplicates are in different splits."""
        splits = np.array(self.splits, dtype=object)
        return splits[self.duplicates.first] != splits[self.duplicates.second]

    @property
    def conflicting(self) -> Duplicates:
        """Pairs of duplicates whose labels contradict each other."""
        return self.duplicates.chosen(self.contradict)

    @cached_property
    def splits(self) -> list[str]:
        """Name of the split of each image of the data, several joined with ``+``; empty for an image in none."""
        return self.dataset.split_names

    @cached_property
    def record(self) -> AuditRecord:
        """Settings and counts."""
        return AuditRecord(
            **self.settings,
            num_images=int(self.index.size),
            num_reviewed=int(self.reviewed.sum()),
            suspects=int(self.suspects.size),
            expected_wrong=float(self.found.wrong[self.found.is_known].sum()),
            unknown=int((~self.found.is_known).sum()),
            finer=int(self.finer.size),
            same_content=int(self.duplicates.same_content.sum()),
            near_duplicates=int((~self.duplicates.same_content).sum()),
            conflicting=int(self.contradict.sum()),
            across_splits=int(self.across.sum()),
            one_class=len(self.one_class),
            two_kinds=len(self.two_kinds),
            fingerprint=self.taxonomy.fingerprint,
        )

    def serve(self, *, port: int = 0) -> AuditServer:
        """A server for the page on this machine alone, which writes decisions to ``corrections.csv`` at once.

        Args:
            port: Port to listen on; 0 for a free one.

        Returns:
            The server, not yet serving: call ``serve_forever()``, after showing its ``address``.

        Raises:
            InputError: The port is taken.
        """
        return AuditServer(self.page, self.dataset, port=port)

    def to_frame(self) -> pl.DataFrame:
        """One row per audited image: its label, the evidence, and how much of the label is probably wrong."""
        tree, found = self.taxonomy, self.found
        names = np.array(path_texts(tree), dtype=object)
        rank = np.zeros(self.index.size, dtype=np.int64)
        rank[self.suspects] = np.arange(1, self.suspects.size + 1)
        return pl.DataFrame(
            {
                "rank": pl.Series(np.where(rank > 0, rank, -1)).replace(-1, None),
                "path": [self.dataset.paths[i] for i in self.index.tolist()],
                "label": names[found.label].tolist(),
                "verdict": np.array(VERDICTS, dtype=object)[found.verdict].tolist(),
                "proposal": names[found.proposal].tolist(),
                "parting": names[found.meet].tolist(),
                "probability": found.probability,
                "wrong": found.wrong,
                "bits": found.bits,
                "gain_bits": found.gain,
                "reviewed": self.reviewed,
            }
        )


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
    _write(result)
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


def _write(found: Audit) -> None:
    """Write the tables of an audit."""
    frame = found.to_frame()
    with replacing(found.folder / "labels.parquet") as temporary:
        write_parquet(frame, temporary)
    order = pl.Series(found.suspects, dtype=pl.Int64)
    write_csv(frame[order].drop("reviewed", "gain_bits"), found.folder / "suspects.csv")
    finer = pl.Series(found.finer, dtype=pl.Int64)
    write_csv(frame[finer].select("path", "label", "proposal", "gain_bits"), found.folder / "finer.csv")
    write_csv(_duplicate_rows(found), found.folder / "duplicates.csv")
    write_csv(_class_rows(found), found.folder / "classes.csv")
    write_audit(found.folder / RECORD, found.record)


def _duplicate_rows(found: Audit) -> pl.DataFrame:
    """One row per pair of duplicates, those with contradicting labels first."""
    data, pairs = found.dataset, found.duplicates
    contradict, splits = found.contradict, found.splits
    order = np.argsort(~contradict, kind="stable")
    first, second = pairs.first[order].tolist(), pairs.second[order].tolist()
    return pl.DataFrame(
        {
            "first": [data.paths[i] for i in first],
            "second": [data.paths[i] for i in second],
            "first_label": [data.taxonomy.path_name(int(data.nodes[i])) for i in first],
            "second_label": [data.taxonomy.path_name(int(data.nodes[i])) for i in second],
            "contradict": contradict[order],
            "first_split": [splits[i] for i in first],
            "second_split": [splits[i] for i in second],
            "same_content": pairs.same_content[order],
            "distance": pairs.distance[order],
            "hash_bits": pairs.bits[order],
        }
    )


def _class_rows(found: Audit) -> pl.DataFrame:
    """One row per finding about classes."""
    name = found.taxonomy.path_name
    rows = [("one", name(one.first), name(one.second), one.area, one.upper, one.p_value) for one in found.one_class]
    rows += [("two", name(two.node), "", two.separation, two.explained, two.p_value) for two in found.two_kinds]
    schema: dict[str, Any] = {"kind": pl.String, "class": pl.String, "other": pl.String}
    return pl.DataFrame(
        rows, {**schema, "effect": pl.Float64, "bound": pl.Float64, "p_value": pl.Float64}, orient="row"
    )
