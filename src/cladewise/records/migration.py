"""The report of a migration: what changed, what that did to accuracy, and what needs images."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from cladewise.atomic import write_text
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, read_json

Way = Literal["carried", "rewritten", "refit"]
"""How the head came into the new tree: as it was, with its answers translated; row by row; or fitted again."""


@dataclasses.dataclass(frozen=True)
class GroupAccuracy:
    """Accuracy on the images whose label changed in one way.

    Attributes:
        change: Kind of change of the label, or ``untouched`` for those that nothing else was placed at.
        images: Number of images.
        right_before: Number of images answered with their label before the migration.
        right_after: Number of images answered with their new label afterwards.
        turned: Number of images that are right in one of the two and wrong in the other.
        above_before: Number of images answered with their label or a node above it, before.
        above_after: The same afterwards.
    """

    change: str
    images: int
    right_before: int
    right_after: int
    turned: int
    above_before: int
    above_after: int


@dataclasses.dataclass(frozen=True)
class NeedsImages:
    """A class of the new tree that the run knows nothing of.

    Attributes:
        path: Its path in the new tree.
        origin: Path of the old node that was split, or empty for an added node.
        images: Number of images labelled with the class itself.
        ambiguous: Number of images of the old node, which may belong here.
    """

    path: str
    origin: str
    images: int
    ambiguous: int


@dataclasses.dataclass(frozen=True)
class MigrationReport:
    """The changes made by a migration, and what they did.

    Attributes:
        way: How the head came into the new tree.
        reason: Why the head was not rewritten, if it was not.
        origin: Folder of the run that was migrated.
        old: The old tree, in words.
        new: The new tree, in words.
        changes: Number of rows of the correspondences by kind of change.
        fingerprint: Hash of the map between the trees.
        split: Split of the accuracies; empty if there are none.
        decision: Rule by which both runs answered.
        accuracy: Accuracies by kind of change; ``untouched`` is the first.
        needs_images: Leaves of the new tree without an image.
        note: Why there are no accuracies, if there are none.
    """

    way: Way
    reason: str
    origin: str
    old: str
    new: str
    changes: dict[str, int]
    fingerprint: str
    split: str = ""
    decision: str = ""
    accuracy: tuple[GroupAccuracy, ...] = ()
    needs_images: tuple[NeedsImages, ...] = ()
    note: str = ""

    @property
    def untouched(self) -> GroupAccuracy | None:
        """Accuracy on classes that did not change, if there are images of any."""
        return next((group for group in self.accuracy if group.change == "untouched"), None)


def write_migration_report(report: MigrationReport, path: Path) -> None:
    """Write a report as JSON."""
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(report)}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_migration_report(path: Path) -> MigrationReport:
    """Read what :func:`write_migration_report` wrote.

    Raises:
        InputError: It is no such file, or that of another version.

    Example:
        >>> path = getfixture("tmp_path") / "report.json"
        >>> report = MigrationReport("carried", "", "runs/a", "3 nodes", "4 nodes", {"same": 3}, "ab")
        >>> write_migration_report(report, path)
        >>> read_migration_report(path).changes
        {'same': 3}
    """
    advice = "Restore the file, or migrate again."
    content: dict[str, Any] = read_json(path, "the report of a migration", advice=advice)
    with building("the report of a migration", at=str(path), advice=advice):
        content["accuracy"] = tuple(GroupAccuracy(**group) for group in content["accuracy"])
        content["needs_images"] = tuple(NeedsImages(**each) for each in content["needs_images"])
        return MigrationReport(**content)
