"""Values of JSON and YAML documents: scalars as names, their places, and further texts of nodes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cladewise.errors import InputError, warn

MAX_SHOWN = 40


class Plain(str):
    """A number, or ``true`` or ``false`` in YAML, as written in the file: ``1.0`` stays ``1.0``."""

    __slots__ = ()


class Place:
    """The place of a value in a document: a key or position within another place.

    Example:
        >>> print(Place("name", Place(0, Place("children"))))
        /children/0/name
    """

    __slots__ = ("above", "key")

    def __init__(self, key: str | int, above: Place | None = None) -> None:
        self.key, self.above = key, above

    def __str__(self) -> str:
        """The place as a JSON pointer, https://www.rfc-editor.org/rfc/rfc6901."""
        keys: list[str] = []
        place: Place | None = self
        while place is not None:
            keys.append(str(place.key).replace("~", "~0").replace("/", "~1"))
            place = place.above
        return "/" + "/".join(reversed(keys))


def is_scalar(value: Any) -> bool:
    """Whether a value can be a name: a text or a number."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def name_at(value: Any, place: Place, source: str) -> str:
    """A value as a name.

    Raises:
        InputError: It is neither a text nor a number.
    """
    if not is_scalar(value):
        raise wrong_at("a name", value, place, source)
    return str(value)


def wrong_at(expected: str, value: Any, place: Place | None, source: str) -> InputError:
    """An error at a place of a document."""
    return InputError(expected, f"{shown(value)} in {place or '/'}", at=source)


def too_deep(path: Path) -> InputError:
    """The error for a document that is nested deeper than its parser can follow."""
    return InputError("nesting that the parser can handle", "nesting that is too deep", at=str(path))


def shown(value: Any) -> str:
    """A value for a message, as shortened JSON.

    Example:
        >>> shown(None), shown({"a": ["b"]}), shown("wren")
        ('null', 'a mapping', "'wren'")
    """
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        text = str(value)
        return f"{text!r}" if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]!r}..."
    return json.dumps(value, default=str)[:MAX_SHOWN]


class NodeTexts:
    """Further texts of nodes, collected node by node.

    Example:
        >>> columns = NodeTexts()
        >>> columns.keep(2, {"size": 4, "tags": ["x"]})
        >>> columns.keep(0, {"size": 3})
        >>> columns.finished(3, "here")
        {'size': ['3', '', '4']}
    """

    def __init__(self) -> None:
        self._texts: dict[str, dict[int, str]] = {}
        self._left_out: Counter[str] = Counter()

    def keep(self, node: int, content: Mapping[str, Any], *, but: tuple[str, ...] = ()) -> None:
        """Keep the texts, numbers and booleans of a node; count its lists and mappings."""
        for key, value in content.items():
            if key in but or value is None:
                continue
            if isinstance(value, dict | list):
                self._left_out[key] += bool(value)
                continue
            text = json.dumps(value) if isinstance(value, bool) else str(value)
            self._texts.setdefault(key, {})[node] = text

    def finished(self, count: int, source: str) -> dict[str, list[str]]:
        """The columns for a number of nodes; warns about omitted lists and mappings."""
        told = [f"{key!r} of {nodes}" for key, nodes in self._left_out.items() if nodes]
        if told:
            warn(f"Lists and mappings other than children, left out: {', '.join(told)} nodes", at=source)
        return {key: [texts.get(node, "") for node in range(count)] for key, texts in self._texts.items()}


def few(keys: Iterable[str], limit: int = 4) -> str:
    """The first few keys of a mapping, for a message.

    Example:
        >>> few({"id": 1, "children": []})
        "'id', 'children'"
    """
    listed = list(keys)
    return ", ".join(shown(key) for key in listed[:limit]) + (", ..." if len(listed) > limit else "")
