"""The result of an audit: the doubtful labels, duplicates and classes of some images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.auditing.classes import OneClass, TwoKinds
from cladewise.auditing.duplicates import Duplicates
from cladewise.auditing.serving import AuditServer
from cladewise.auditing.suspicion import VERDICTS, Suspicions
from cladewise.datasets import Dataset
from cladewise.records.audit import AuditRecord
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.all_paths import path_texts

IntArray = NDArray[np.int64]
PAGE = "page.html"


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """Result of :func:`cladewise.audit`.

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
