"""The record of an audit of labels in a run folder: how it was made, and what it found."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, check_types, read_json

_ADVICE = "Make it again: cladewise audit RUN."


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """Settings and counts of an audit. The tables beside it list the images.

    Args:
        split: Splits of the audited images.
        folds: Number of heads that were fitted to score images that they had not seen; 0 if the run had not seen them.
        expected_errors: Assumed share of wrong labels.
        group_by: Column of groups of images that are in one fold; empty for none.
        num_images: Number of audited images.
        num_skipped: Number of images that could not be read.
        num_reviewed: Number of images decided by earlier corrections, which are not listed again.
        suspects: Number of images whose evidence ends neither at their label nor below it.
        expected_wrong: Sum of the probabilities that labels are wrong.
        unknown: Number of images whose label no head could learn, since no other image at or under it was there.
        finer: Number of images whose label could be finer.
        same_content: Number of pairs of images with the same content.
        near_duplicates: Number of further pairs that are nearly the same picture.
        conflicting: Number of pairs of either kind whose labels contradict each other.
        across_splits: Number of pairs of either kind in different splits.
        one_class: Number of pairs of classes that are not told apart.
        two_kinds: Number of classes with two groups of images.
        model: Hash of the run's weights.
        fingerprint: Fingerprint of the tree.
    """

    split: str
    folds: int
    expected_errors: float
    group_by: str
    num_images: int
    num_skipped: int
    num_reviewed: int
    suspects: int
    expected_wrong: float
    unknown: int
    finer: int
    same_content: int
    near_duplicates: int
    conflicting: int
    across_splits: int
    one_class: int
    two_kinds: int
    model: str
    fingerprint: str

    def __post_init__(self) -> None:
        check_types(self)


def write_audit(file: Path, record: AuditRecord) -> Path:
    """Write a record, and return its file."""
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(record)}
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    return file


def read_audit(file: Path) -> AuditRecord | None:
    """Read a record; ``None`` if there is none.

    Raises:
        InputError: The file is not a record of this version.

    Example:
        >>> read_audit(Path("no/such/file.json")) is None
        True
    """
    if not file.is_file():
        return None
    content = read_json(file, "a record of an audit", advice=_ADVICE)
    with building("a record of an audit", at=str(file), advice=_ADVICE):
        return AuditRecord(**content)
