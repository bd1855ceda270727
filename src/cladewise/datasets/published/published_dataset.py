"""The type of a published dataset: its facts, how it is read and checked, and small files in its layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.errors import InputError

WriteMadeUp = Callable[[Path, int, np.random.Generator], dict[str, Any]]
"""Writes made-up files below a folder, with some images per class and split, and returns the options to read them."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """Published facts about a dataset.

    Args:
        levels: Number of classes of each level, coarse to fine; empty if the levels have no names.
        images: Number of images of each split whose size is known.
        licence: Licence or terms of use.
        citation: Authors, title, venue and year.
        where: Place to get the files.
        files: Files and folders of the official layout that are read, relative to ``path``, and their content.
        num_leaves: Number of leaves, if the levels have no names.
        num_nodes: Number of nodes with the root, if the levels have no names.
        notes: Further facts, one sentence each.
    """

    levels: Mapping[str, int]
    images: Mapping[str, int]
    licence: str
    citation: str
    where: str
    files: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    num_leaves: int | None = None
    num_nodes: int | None = None
    notes: tuple[str, ...] = ()

    def counts(self, dataset: Dataset | None = None) -> list[Count]:
        """The published numbers, with those of a dataset next to them.

        Images that were listed but cannot be used do not count.
        """
        tree = None if dataset is None else dataset.taxonomy
        sizes = {} if tree is None else {n: int((tree.level == k).sum()) for k, n in enumerate(tree.level_names, 1)}
        found = [Count("classes", level, count, sizes.get(level, 0)) for level, count in self.levels.items()]
        if self.num_leaves is not None:
            found.append(Count("leaves", "", self.num_leaves, 0 if tree is None else tree.num_leaves))
        if self.num_nodes is not None:
            found.append(Count("nodes", "", self.num_nodes, 0 if tree is None else tree.num_nodes))
        splits = {} if dataset is None else dataset.splits
        return found + [Count("images", name, count, len(splits.get(name, ()))) for name, count in self.images.items()]


@dataclasses.dataclass(frozen=True)
class Count:
    """A published number of classes or images, and the number in a copy of the dataset.

    Args:
        unit: ``classes`` or ``images``; ``leaves`` or ``nodes`` of a tree whose levels have no names.
        of: The level or the split, empty for the whole tree.
        published: The published number.
        found: The number in the copy; 0 if there is none.
    """

    unit: str
    of: str
    published: int
    found: int

    @property
    def text(self) -> str:
        """The unit and what it is of: ``images of train``."""
        return f"{self.unit} of {self.of}" if self.of else self.unit


def difference(counts: Sequence[Count]) -> tuple[str, str] | None:
    """The published numbers that differ from those of a copy, and the latter, as texts; None if all are equal.

    Example:
        >>> difference([Count("classes", "order", 13, 13), Count("images", "train", 5994, 20)])
        ('5,994 images of train', '20 images of train')
    """
    wrong = [count for count in counts if count.published != count.found]
    if not wrong:
        return None
    published = ", ".join(f"{count.published:,} {count.text}" for count in wrong)
    return published, ", ".join(f"{count.found:,} {count.text}" for count in wrong)


@dataclasses.dataclass(frozen=True)
class PublishedDataset:
    """A published dataset that can be loaded by its name.

    A reader takes the options by keyword and returns what the files list; it never checks counts. The tree has the
    classes that the files list, so a copy with a few classes is read as well as the whole.

    Args:
        name: Its name, as in ``datasets.load(name)``.
        description: One line for listings.
        read: The reader.
        facts: Published facts, against which a loaded dataset is checked.
        options: Names of the reader's options.
        required: Options without a default.
        facts_for: The facts for given options, if they depend on them.
        recognises: Whether a folder has this dataset's layout, so that the folder alone is enough.
        write_made_up: Writer of small made-up files in the official layout; None if there is none.
    """

    name: str
    description: str
    read: Callable[..., Dataset]
    facts: Facts
    options: Sequence[str] = ("path",)
    required: Sequence[str] = ("path",)
    facts_for: Callable[[Mapping[str, Any]], Facts] | None = None
    recognises: Callable[[Path], bool] | None = None
    write_made_up: WriteMadeUp | None = None

    def facts_of(self, options: Mapping[str, Any]) -> Facts:
        """The facts about the dataset that some options select."""
        return self.facts if self.facts_for is None else self.facts_for(options)

    def reopen(self, options: Mapping[str, Any]) -> Dataset:
        """Read the dataset without a check of its counts.

        Raises:
            InputError: An option is unknown or missing, or the files cannot be read.
        """
        check_options(self.name, options, self.options, self.required, self.facts.where)
        return self.read(**options)

    def load(self, options: Mapping[str, Any], *, partial: bool = False) -> Dataset:
        """Read the dataset and compare its counts with the facts.

        Raises:
            InputError: As for :meth:`reopen`, or the counts differ and ``partial`` is false.
        """
        dataset = self.reopen(options)
        differs = difference(self.facts_of(options).counts(dataset))
        if differs is not None and not partial:
            expected, got = differs
            first = f" ({skipped.path}: {skipped.reason})" if (skipped := next(iter(dataset.skipped), None)) else ""
            raise InputError(
                f"{self.name} as published: {expected}",
                f"{got}{first}",
                at=str(options.get("path", dataset.root)),
                advice=f"Complete the files, or pass partial=True to use them as they are. {self.facts.where}",
            )
        return dataset


def check_options(
    kind: str, options: Mapping[str, Any], known: Collection[str], required: Collection[str], advice: str = ""
) -> None:
    """Check the names of a reader's options.

    Args:
        kind: Name of the reader for messages.
        options: The given options.
        known: Names of all options.
        required: Names of those without a default.
        advice: Further advice if one is missing.

    Raises:
        InputError: An option is unknown or missing.
    """
    wrong = sorted(set(options) - set(known))
    if wrong:
        raise InputError(f"options of {kind}: {', '.join(sorted(known))}", ", ".join(wrong))
    missing = sorted(set(required) - set(options), reverse=True)
    if missing:
        given = ", ".join(f'{name}="the/folder"' for name in missing)
        expected = f"the option {' and '.join(missing)} for {kind}"
        raise InputError(expected, "none", advice=f"Pass {given}. {advice}")
