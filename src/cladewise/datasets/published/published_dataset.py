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

    def differences(self, dataset: Dataset) -> list[tuple[str, str]]:
        """Published and actual counts that differ, as texts: ``("100 classes of fine", "3 classes of fine")``.

        Images that were listed but cannot be used do not count.
        """
        tree = dataset.taxonomy
        found: list[tuple[int, int, str]] = []
        if self.levels and tree.level_names != tuple(self.levels):
            found.append((len(self.levels), tree.num_levels, "levels"))
        else:
            sizes = {name: int((tree.level == k).sum()) for k, name in enumerate(tree.level_names, start=1)}
            found += [(count, sizes[name], f"classes of {name}") for name, count in self.levels.items()]
        if self.num_leaves is not None:
            found.append((self.num_leaves, tree.num_leaves, "leaves"))
        if self.num_nodes is not None:
            found.append((self.num_nodes, tree.num_nodes, "nodes"))
        for split, count in self.images.items():
            found.append((count, len(dataset.splits.get(split, ())), f"images of {split}"))
        return [
            (f"{expected:,} {what}", f"{actual:,} {what}") for expected, actual, what in found if expected != actual
        ]


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
        facts = self.facts if self.facts_for is None else self.facts_for(options)
        differences = facts.differences(dataset)
        if differences and not partial:
            expected, got = (", ".join(texts) for texts in zip(*differences, strict=True))
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
