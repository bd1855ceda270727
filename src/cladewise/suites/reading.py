"""Reads suite files."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from cladewise import methods
from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.suites.checking import check
from cladewise.suites.suite import ALL, DataEntry, FewShotEntry, SearchEntry, Suite, TableEntry, Variant

Entry = TypeVar("Entry")

BUNDLED = Path(__file__).parent


def available() -> dict[str, Path]:
    """Suites that come with the package, by name.

    Example:
        >>> [name for name in sorted(available()) if name.endswith("emoji")]
        ['cones-emoji', 'fine-from-coarse-emoji', 'levels-emoji', 'scores-and-curves-emoji', 'texts-emoji']
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
    own = {f.name for f in dataclasses.fields(Suite)} - {"name", "tables", "variants"}
    _known(content, own | {"table", "variant"}, at)
    data = content.pop("data", None)
    entries = [data] if isinstance(data, dict) else data or []
    tables: Any = content.pop("table", [])
    variants = tuple(_entry(Variant, entry, f"{at} [[variant]]") for entry in content.pop("variant", []))
    names: Any = content.pop("methods", ALL)
    suite = _entry(
        Suite,
        {
            "title": path.stem,
            **content,
            "name": path.stem,
            "data": tuple(_entry(DataEntry, entry, f"{at} [data]") for entry in entries),
            "few_shot": tuple(
                _entry(FewShotEntry, entry, f"{at} [[few_shot]]") for entry in content.get("few_shot", [])
            ),
            "tables": tuple(_entry(TableEntry, entry, f"{at} [[table]]") for entry in tables),
            "methods": tuple(
                dict.fromkeys([*_method_specs(names, f"{at} methods"), *(variant.name for variant in variants)])
            ),
            "variants": variants,
            "search": _entry(SearchEntry, content.get("search", {}), f"{at} [search]"),
        },
        at,
    )
    check(suite, at)
    return suite


def _entry(kind: type[Entry], values: Any, at: str) -> Entry:
    """A table of the file as its dataclass, lists as tuples."""
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    _known(values, fields, at)
    for name, field in fields.items():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if no_default and name not in values:
            raise InputError(f"{name} in {at}", "none")
    hints = get_type_hints(kind)
    for key, value in values.items():
        if get_origin(hints[key]) is Mapping and not isinstance(value, dict):
            raise InputError(f"{key} to be a table", repr(value), at=at)
        wanted = {int: "a whole number", float: "a number", str: "a text"}.get(hints[key])
        fits = isinstance(value, hints[key] if hints[key] is not float else int | float) if wanted else True
        if wanted and (not fits or isinstance(value, bool)):
            raise InputError(f"{key} to be {wanted}", repr(value), at=at)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


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
