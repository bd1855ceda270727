"""Where the files of a suite's datasets are: given by the caller, stated in the suite, or made up for a smoke run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from cladewise import datasets
from cladewise.catalogue import nearest
from cladewise.datasets.published.registry import PUBLISHED
from cladewise.errors import InputError
from cladewise.suites.entries import DataEntry
from cladewise.suites.hypernym_entries import HypernymEntry
from cladewise.suites.suite import Suite

Where: TypeAlias = str | PathLike[str] | Sequence[str] | Mapping[str, str | PathLike[str] | Mapping[str, Any]]
"""The path of the only dataset; texts ``name=path`` or ``name.option=value``; or a mapping from names."""


def with_data(suite: Suite, where: Where | None) -> Suite:
    """The suite with the paths and options of its datasets.

    Args:
        suite: The suite.
        where: The path of its only dataset; ``"name=path"``, or several in a list, where ``"name.option=value"`` gives
            another option of the reader; or a mapping from names to paths or options.

    Raises:
        InputError: The suite has no such dataset, or has several and only one path is given.

    Example:
        >>> from cladewise.suites import read_suite
        >>> with_data(read_suite("levels-grocery"), "here").data[0].options
        {'path': 'here'}
        >>> with_data(read_suite("levels-grocery"), ["grocery-store=there"]).data[0].options
        {'path': 'there'}
    """
    given = _by_name(suite, where)
    names = _names(suite)
    for name in given:
        if name not in names:
            expected = f"data of {suite.name}: {', '.join(names)}"
            raise InputError(expected, repr(name), advice=nearest(name, names))
    paths = {name: str(options["path"]) for name, options in given.items() if "path" in options}
    trees = tuple(dataclasses.replace(entry, path=paths.get(entry.tree, entry.path)) for entry in suite.hypernyms)
    options = [{**given.get(entry.dataset, {}), **given.get(entry.name, {})} for entry in suite.data]
    located = tuple(map(_with_options, suite.data, options))
    return dataclasses.replace(suite, data=located, hypernyms=trees)


def _names(suite: Suite) -> list[str]:
    """Names of the datasets of a suite, of its entries of them, and of the trees of its hypernym tables."""
    of_data = [name for entry in suite.data for name in (entry.dataset, entry.name)]
    return list(dict.fromkeys([*of_data, *(entry.tree for entry in suite.hypernyms)]))


def _with_options(entry: DataEntry, options: Mapping[str, Any]) -> DataEntry:
    path = {"path": entry.path} if entry.path else {}
    return dataclasses.replace(entry, path="", options={**path, **entry.options, **options})


def _by_name(suite: Suite, where: Where | None) -> dict[str, dict[str, Any]]:
    """The options given for each dataset."""
    if where is None:
        return {}
    if isinstance(where, Mapping):
        return {
            name: dict(value) if isinstance(value, Mapping) else {"path": os.fspath(value)}
            for name, value in where.items()
        }
    names, distinct = _names(suite), list(dict.fromkeys(entry.dataset for entry in suite.data))
    found: dict[str, dict[str, Any]] = {}
    for given in [where] if isinstance(where, str | PathLike) else where:
        text = os.fspath(given)
        name, equals, value = text.partition("=")
        if equals and not (len(distinct) == 1 and name not in names and Path(text).exists()):
            before, _, option = name.rpartition(".")
            name, option = (before, option) if before in names and name not in names else (name, "path")
            found.setdefault(name, {})[option] = {"true": True, "false": False}.get(value, value)
        elif len(distinct) == 1:
            found[distinct[0]] = {"path": text}
        else:
            advice = f'Pass data="{names[0]}=the/folder".'
            raise InputError(f"the dataset of a path, one of {', '.join(names)}", repr(text), advice=advice)
    return found


def missing_options(entry: DataEntry) -> list[str]:
    """Options that the reader of a dataset needs and that nobody gave."""
    published = PUBLISHED.get(entry.dataset)
    return [name for name in published.required if name not in entry.options] if published else []


ARGUMENT = 'data="{}"'
"""A dataset's path as the argument of a call, for errors."""
ARGUMENT_OR_OPTION = "{} as data, on the command line as --data"
"""The same for files, which are read after calls and commands alike."""


def missing_text(entry: DataEntry, argument: str = ARGUMENT) -> str:
    """One line about a dataset that cannot be read yet: what is missing, and where its files are.

    Example:
        >>> missing_text(DataEntry(name="cifar-100")).partition(".")[0]
        'no path of cifar-100: pass data="cifar-100=the/folder"'
        >>> missing_text(DataEntry(name="cifar-100"), ARGUMENT_OR_OPTION).partition(".")[0]
        'no path of cifar-100: pass cifar-100=the/folder as data, on the command line as --data'
    """
    options = missing_options(entry)
    places = [f"{entry.dataset}{'' if name == 'path' else f'.{name}'}=the/folder" for name in options]
    named = ", ".join(map(argument.format, places))
    return f"no {' and no '.join(options)} of {entry.dataset}: pass {named}. {PUBLISHED[entry.dataset].facts.where}"


def missing_tree(suite: Suite, entry: HypernymEntry, argument: str = ARGUMENT) -> str:
    """One line about the tree of a hypernym table that cannot be read yet; empty if there is nothing missing."""
    for data in suite.data:
        if data.name == entry.tree:
            return missing_text(data, argument) if missing_options(data) else ""
    if entry.path or entry.tree in datasets.available():
        return ""
    return f"no path of {entry.tree}: pass {argument.format(f'{entry.tree}=the/folder')}."


def with_made_up_data(suite: Suite, folder: Path) -> Suite:
    """The suite on made-up files of the official layouts; data that was located, or that needs no path, stays.

    The same files are written again in every call, so that those of a killed one are complete.

    Raises:
        InputError: The files of a dataset cannot be made up.
    """
    found: list[DataEntry] = []
    for entry in suite.data:
        if missing_options(entry):
            made = datasets.write_made_up(entry.dataset, folder / entry.dataset)
            entry = dataclasses.replace(entry, options={**entry.options, **made})
        found.append(entry)
    return dataclasses.replace(suite, data=tuple(found))
