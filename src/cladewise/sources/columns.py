"""Columns of tables: which one names or holds the images, and the types of the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some

_NAMES = re.compile(
    r"((image|img|photo|picture|file)[\s_-]?)?(path|file|files|file[\s_-]?name|file[\s_-]?path|full[\s_-]?path|ur[il])s?"
    r"|image|img|photo|picture|fname",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"\.(jpe?g|png|webp|tiff?|bmp|gif|heic|avif)\b", re.IGNORECASE)


def chosen_column(seen: Sequence[str], given: str | None, at: str, *, candidates: Iterable[str] | None = None) -> str:
    """The column of the images: the one that the user named, or the only one with a usual name.

    Args:
        seen: All columns.
        given: The name that the user gave.
        at: The table, for messages.
        candidates: Columns that could hold images; all by default.

    Raises:
        InputError: There is no such column, or several.

    Example:
        >>> chosen_column(["id", "file_name", "site"], None, "list.csv")
        'file_name'
    """
    if given is not None:
        if given not in seen:
            raise InputError(f"the column {given!r}", some(list(seen), 20), at=at)
        return given
    named = [name for name in (seen if candidates is None else candidates) if _NAMES.fullmatch(name.strip())]
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        got = f"{len(named)} columns that could be it: {some(named)}"
        raise InputError("one column with the images", got, at=at, advice=f'Choose one: column="{named[0]}".')
    advice = 'Name the column with the images: column="NAME".'
    if any(_IMAGE.search(name) for name in seen):
        advice = "The first line is data: add a header line, such as path, above it."
    got = some(list(seen), 20) or "none"
    if unfit := [name for name in seen if _NAMES.fullmatch(name.strip())]:
        got += f", where {some(unfit)} {'holds' if len(unfit) == 1 else 'hold'} no texts"
    raise InputError("a column path, url, uri, file or file_name", got, at=at, advice=advice)


def as_text(value: str) -> str:
    r"""A cell as text that can be written anywhere: bytes that are not UTF-8 appear as ``\udc80`` to ``\udcff``.

    Example:
        >>> as_text("caf\udce9")
        'caf\\udce9'
    """
    return value if value.isascii() else value.encode(errors="backslashreplace").decode()
