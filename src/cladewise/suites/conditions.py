"""The rows of a suite under its conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.suites.entries import ALL, Condition, DataEntry, FigureEntry, SearchEntry, TableEntry, Variant

Drawn = TypeVar("Drawn", TableEntry, FigureEntry)


def under_conditions(
    conditions: Sequence[Condition],
    labels: Iterable[str],
    variants: Sequence[Variant],
    parts: Mapping[str, Any],
    at: str,
) -> dict[str, Any]:
    """The parts of a suite whose rows are its methods and variants under every condition, and not by themselves.

    Args:
        conditions: The conditions.
        labels: Labels of the methods and variants.
        variants: The variants.
        parts: Data, search, tables and figures of the suite.
        at: Name of the suite's file.

    Raises:
        InputError: A condition has no name of its own or unknown data, or not all data have that of the search.
    """
    search: SearchEntry | None = parts["search"]
    searched = search.condition if search else ""
    _check_names(conditions, parts["data"], at)
    if searched:
        _check_searched(searched, conditions, parts["data"], f"{at} [search]")
    named = {label: [variant for variant in variants if variant.name == label] for label in labels}
    plain = [row for label, found in named.items() for row in found or [Variant(name=label, method=label)]]
    made = [row for condition in conditions for row in _under(condition, plain, searched)]
    taken = dict.fromkeys(row.settings or row.method for row in plain)
    apart = [Variant(name=label, method=label) for label in taken if label not in named]  # searched, but no rows
    chosen = [condition for condition in conditions if condition.name == searched]
    sought = [row for condition in chosen for row in _under(condition, apart, searched)]
    alone = [dataclasses.replace(variant, encoder="") for variant in variants]  # whose settings may be searched
    rows = tuple(dict.fromkeys(row.name for row in made))

    def expanded(entry: Drawn) -> Drawn:
        if entry.methods == ALL:
            return entry
        under = [row.name for label in entry.methods for row in made if label in (row.plain, row.name)]
        unknown = [label for label in entry.methods if label not in {*named, *rows}]
        return dataclasses.replace(entry, methods=tuple(dict.fromkeys([*under, *unknown])))

    return {
        "methods": rows,
        "variants": (*alone, *made, *sought),
        "tables": tuple(map(expanded, parts["tables"])),
        "figures": tuple(map(expanded, parts["figures"])),
    }


def _under(condition: Condition, rows: Iterable[Variant], searched: str) -> list[Variant]:
    """The rows that a condition has, with the settings that were chosen under the condition of the search."""
    settings = [(row, row.settings or row.method) for row in rows]
    found = [condition.of(row, f"{searched}, {label}" if searched else label) for row, label in settings]
    return [row for row in found if row is not None]


def _check_names(conditions: Sequence[Condition], data: Sequence[DataEntry], at: str) -> None:
    """Check that each condition has a name, which is that of no other on the same data, and that there is its data."""
    known = list(dict.fromkeys(each.name for each in data))
    seen: set[tuple[str, str]] = set()
    for condition in conditions:
        if not condition.name:
            raise InputError("a name for every [[condition]]", "none", at=at)
        names = known if condition.data == ALL else condition.data
        for name in names:
            if name not in known:
                expected, where = f"data of the suite: {', '.join(known)}", f"{at} [[condition]] {condition.name}"
                raise InputError(expected, repr(name), at=where, advice=nearest(name, known))
            if (condition.name, name) in seen:
                raise InputError("a unique name for every [[condition]]", f"{condition.name!r} twice", at=at)
            seen.add((condition.name, name))


def _check_searched(name: str, conditions: Sequence[Condition], data: Sequence[DataEntry], at: str) -> None:
    """Check that the settings of all data can be searched under a condition."""
    known = list(dict.fromkeys(condition.name for condition in conditions))
    if name not in known:
        raise InputError(
            f"a condition of the suite: {', '.join(known)}", repr(name), at=at, advice=nearest(name, known)
        )
    chosen = [condition.data for condition in conditions if condition.name == name]
    without = [] if ALL in chosen else [each.name for each in data if not any(each.name in names for names in chosen)]
    if without:
        raise InputError(
            "a condition that all data of the suite have", f"{name!r}, which {', '.join(without)} lacks", at=at
        )
