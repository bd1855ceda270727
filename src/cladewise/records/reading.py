"""Reading records: the checks of a file that every kind of record shares, its version among them."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.records.layout import SCHEMA_VERSION


def read_json(file: Path, what: str, *, advice: str, versioned: bool = True) -> dict[str, Any]:
    """Read the JSON object of a record, without its ``schema_version``.

    Args:
        file: The file.
        what: The expected record, for the error: ``an evaluation``.
        advice: What to do if it is not that.
        versioned: Whether every version of the layout has written its number; if not, a file without one counts as the
            first version.

    Raises:
        InputError: It is not a JSON object, or of another version.

    Example:
        >>> file = getfixture("tmp_path") / "a.json"
        >>> _ = file.write_text('{"schema_version": 1, "split": "test"}')
        >>> read_json(file, "an evaluation", advice="Evaluate again.")
        {'split': 'test'}
        >>> _ = file.write_text('{"schema_')
        >>> read_json(file, "an evaluation", advice="Evaluate again.")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected an evaluation in JSON, but got Unterminated string ... Evaluate again.
    """
    return _read(file, f"{what} in JSON", json.loads, advice=advice, versioned=versioned)


def read_toml(file: Path, what: str, *, advice: str, versioned: bool = True) -> dict[str, Any]:
    """Read the tables of a TOML record, without ``schema_version``; see :func:`read_json`.

    Raises:
        InputError: It is not TOML, or of another version.
    """
    return _read(file, f"{what} in TOML", tomllib.loads, advice=advice, versioned=versioned)


def check_schema(content: Mapping[str, Any], *, at: str, advice: str, versioned: bool = True) -> None:
    """Check the version of a record. Every reader of records uses this check.

    Args:
        content: The record.
        at: Its file, for the error.
        advice: What to do then.
        versioned: Whether every version has written its number; if not, a record without one is of the first version.

    Raises:
        InputError: ``schema_version`` is missing, or is another version.

    Example:
        >>> check_schema({"schema_version": 9}, at="a.json", advice="Make it anew.")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected schema_version 1, but got 9 at a.json. Update cladewise, or make it anew.
    """
    version = content.get("schema_version")
    if version is None and not versioned:
        return
    if version is None:
        raise InputError(f"schema_version {SCHEMA_VERSION}", "none", at=at, advice=advice)
    if type(version) is not int or version != SCHEMA_VERSION:
        if type(version) is int and version > SCHEMA_VERSION:
            advice = f"Update cladewise, or {advice[:1].lower()}{advice[1:]}"
        raise InputError(f"schema_version {SCHEMA_VERSION}", repr(version), at=at, advice=advice)


@contextmanager
def building(what: str, *, at: str, advice: str) -> Generator[None, None, None]:
    """Turn errors of a record's constructor on foreign content into one line.

    Raises:
        InputError: An entry is missing, unknown, or of another type.
    """
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(what, f"none of its entry {error}", at=at, advice=advice) from None
    except (TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        raise InputError(what, f"{error}", at=at, advice=advice) from None


_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def check_types(record: Any) -> None:
    """Check the types of a dataclass's texts and numbers; other fields are not checked.

    Raises:
        TypeError: A field has another type.
    """
    for field in dataclasses.fields(record):
        value, wanted = getattr(record, field.name), _PLAIN.get(str(field.type))
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            raise TypeError(f"{field.name} {value!r}")


def _read(file: Path, what: str, parse: Callable[[str], Any], *, advice: str, versioned: bool) -> dict[str, Any]:
    try:
        content = parse(file.read_bytes().decode("utf-8-sig"))
    except RecursionError:
        raise InputError(what, "tables within tables without end", at=str(file), advice=advice) from None
    except IsADirectoryError:
        raise InputError(what, "a folder", at=str(file), advice=advice) from None
    except ValueError as error:  # of encodings and of both parsers
        raise InputError(what, f"{error}", at=str(file), advice=advice) from None
    if not isinstance(content, dict):
        raise InputError(what, f"a {type(content).__name__}", at=str(file), advice=advice)
    check_schema(content, at=str(file), advice=advice, versioned=versioned)
    return {key: value for key, value in content.items() if key != "schema_version"}
