"""Reads suite files."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from cladewise import methods
from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.suites.checking import check
from cladewise.suites.conditions import under_conditions
from cladewise.suites.entries import (
    ALL,
    Changes,
    Chosen,
    Condition,
    DataEntry,
    FewShotEntry,
    FigureEntry,
    Published,
    SearchEntry,
    TableEntry,
    Variant,
)
from cladewise.suites.hypernym_entries import HypernymEntry
from cladewise.suites.suite import Suite

Entry = TypeVar("Entry")

BUNDLED = Path(__file__).parent


def available() -> dict[str, Path]:
    """Suites that come with the package, by name.

    Example:
        >>> [name for name in sorted(available()) if name.startswith("hace")]
        ['hace', 'hace-probe']
    """
    return {path.stem: path for path in sorted(BUNDLED.glob("*.toml"))}


def read_suite(name: str | PathLike[str]) -> Suite:
    """Read a suite file, or one that comes with the package by its name.

    Raises:
        InputError: There is no such file, or something in it is not known or not allowed.
    """
    path = available().get(os.fspath(name), Path(name))
    if not path.is_file():
        known = available()
        raise InputError(
            f"a suite file, or one of {', '.join(known)}", f"{str(name)!r}", advice=nearest(str(name), known)
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("a TOML file", f"{error}", at=str(path)) from error
    return _suite(content, path)


def _suite(content: dict[str, Any], path: Path) -> Suite:
    at = path.name
    own = {f.name for f in dataclasses.fields(Suite)} - {"name", "tables", "variants", "figures", "fixed"}
    _known(content, own | {"table", "variant", "figure", "condition"}, at)
    variants = _entries(Variant, content, "variant", at)
    for variant in variants:
        if variant.condition:
            raise InputError(
                "a [[condition]] for all rows", f"condition = {variant.condition!r}", at=f"{at} [[variant]]"
            )
    names: Any = content.get("methods", ALL)
    labels = tuple(dict.fromkeys([*_method_specs(names, f"{at} methods"), *(variant.name for variant in variants)]))
    parts: dict[str, Any] = {
        "data": _entries(DataEntry, content, "data", at),
        "few_shot": _entries(FewShotEntry, content, "few_shot", at),
        "hypernyms": _entries(HypernymEntry, content, "hypernyms", at),
        "tables": tuple(_table(entry, f"{at} [[table]]") for entry in _listed(content, "table", at)),
        "figures": _entries(FigureEntry, content, "figure", at),
        "variants": variants,
        "methods": labels,
        "search": _entry(SearchEntry, content["search"], f"{at} [search]") if "search" in content else None,
        "smoke": _entry(Changes, content.get("smoke", {}), f"{at} [smoke]"),
        "features": _features(content.get("features", {}), f"{at} [features]"),
    }
    if conditions := _entries(Condition, content, "condition", at):
        parts |= under_conditions(conditions, labels, variants, parts, at)
    elif parts["search"] and parts["search"].condition:
        got = f"condition = {parts['search'].condition!r}"
        raise InputError("a [[condition]] that the search names", got, at=f"{at} [search]")
    extra = {"table", "figure", "variant", "condition"}
    rest = {key: value for key, value in content.items() if key not in {*parts, *extra}}
    suite = _entry(Suite, {"title": path.stem, **rest, "name": path.stem}, at, made=parts)
    check(suite, at)
    return suite


def _features(values: Any, at: str) -> Changes:
    """``[features]``, its search with the types that ``[search]`` has."""
    changes, search = _entry(Changes, values, at), f"{at} search"
    hints = get_type_hints(SearchEntry)
    _known(changes.search, hints, search)
    typed = {key: _value(key, value, hints[key], search) for key, value in changes.search.items()}
    return dataclasses.replace(changes, search=typed)


def _table(values: Any, at: str) -> TableEntry:
    """A ``[[table]]`` with its ``[[table.published]]``."""
    values = _as_table(values, at)
    name = values.get("name", "")
    rows = _entries(Published, values, "published", f"{at} {name}".rstrip())
    return _entry(TableEntry, {k: v for k, v in values.items() if k != "published"}, at, made={"published": rows})


def _entries(kind: type[Entry], content: Mapping[str, Any], name: str, at: str) -> tuple[Entry, ...]:
    """Every ``[[name]]`` as its dataclass."""
    brackets = f"[{name}]" if isinstance(content.get(name), dict) else f"[[{name}]]"
    return tuple(_entry(kind, entry, f"{at} {brackets}") for entry in _listed(content, name, at))


def _listed(content: Mapping[str, Any], name: str, at: str) -> list[Any]:
    """Tables of one name; a single one is a list of one."""
    found: Any = content.get(name, [])
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        raise InputError(f"tables [[{name}]]", repr(found), at=at)
    return list(found)


def _as_table(values: Any, at: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise InputError("a table", repr(values), at=at)
    return values


def _entry(kind: type[Entry], values: Any, at: str, *, made: Mapping[str, Any] | None = None) -> Entry:
    """A table of the file as its dataclass, lists as tuples; with entries of it that are made already."""
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    made = made or {}
    values = _as_table(values, at)
    _known(values, [name for name in fields if name not in made], at)
    for name, field in fields.items():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if no_default and name not in {*values, *made}:
            raise InputError(f"{name} in {at}", "none")
    hints = get_type_hints(kind)
    return kind(**{key: _value(key, value, hints[key], at) for key, value in values.items()}, **made)


def _value(key: str, value: Any, hint: Any, at: str) -> Any:
    """A value of the file, checked against the type of its field."""
    if get_origin(hint) is Mapping:
        if not isinstance(value, dict):
            raise InputError(f"{key} to be a table", repr(value), at=at)
        return value
    if hint == Chosen:
        if value == ALL:
            return value
        return _items(key, value, str, at, "a list of texts, or all")
    if get_origin(hint) is tuple:
        kind = get_args(hint)[0]
        if get_origin(kind) is tuple:
            return tuple(
                _items(key, item, str, at, "a list of pairs of texts") for item in _items(key, value, list, at)
            )
        return _items(key, value, kind, at, "a list of texts" if kind is str else "a list of numbers")
    wanted = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(hint)
    if wanted and not _fits(value, hint):
        raise InputError(f"{key} to be {wanted}", repr(value), at=at)
    return value


def _items(key: str, value: Any, kind: type, at: str, wanted: str = "a list of lists") -> tuple[Any, ...]:
    if not isinstance(value, list) or not all(_fits(item, kind) for item in value):
        raise InputError(f"{key} to be {wanted}", repr(value), at=at)
    return tuple(kind(item) for item in value)


def _fits(value: Any, kind: type) -> bool:
    allowed = int | float if kind is float else kind
    return isinstance(value, allowed) and (kind is bool or not isinstance(value, bool))


def _known(keys: Iterable[str], known: Collection[str], at: str) -> None:
    for key in keys:
        if key not in known:
            raise InputError(f"one of {', '.join(sorted(known))}", repr(key), at=at, advice=nearest(key, known))


def _method_specs(values: Any, at: str) -> tuple[str, ...]:
    """Methods by their specs; ``all`` alone or in a list stands for every method there is."""
    listed = _texts([values] if isinstance(values, str) else values, at)
    return tuple(dict.fromkeys(spec for text in listed for spec in (methods.available() if text == ALL else [text])))


def _texts(values: Any, at: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError("a list of strings", repr(values), at=at)
    return tuple(values)
