r"""The columns of a taxonomy that hold further names of a node, and what a cell of them means.

| column | holds |
|---|---|
| ``id`` | the node's own id |
| ``synonyms`` | other names |
| ``former_ids`` | ids that now mean this node, since others were merged into it or replaced by it |
| ``name:<language>`` | names in a language, such as ``name:fr`` or ``name:en-GB``, the preferred one first |

A cell holds several names with ``|`` between them, except in ``id``; a ``|`` inside a name is written ``\|``. Languages
are BCP 47 codes; ``name:und`` is for names whose language is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import StrArray
from cladewise.taxonomy.names.joining import Joiner

if TYPE_CHECKING:
    import polars as pl

ID, SYNONYMS, FORMER_IDS = "id", "synonyms", "former_ids"
VERNACULAR = "name:"
"""Beginning of the columns of names in a language."""
UNKNOWN_LANGUAGE = "und"
NAME_SEPARATOR = "|"
_NAMES = Joiner(NAME_SEPARATOR)


class WithColumns(Protocol):
    """The part of a :class:`~cladewise.taxonomy.Taxonomy` that is read here: the names of its columns."""

    @property
    def columns(self) -> Collection[str]: ...


def split_names(cell: str) -> list[str]:
    r"""The names in a cell, without blank ones and white space around them.

    Example:
        >>> split_names("Felis concolor | Felis couguar|"), split_names(r"A\|B|C")
        (['Felis concolor', 'Felis couguar'], ['A|B', 'C'])
    """
    return [name for part in _NAMES.split(cell) if (name := part.strip())]


def join_names(names: Iterable[str]) -> str:
    r"""The cell for some names, the inverse of :func:`split_names`; blank names and repetitions are left out.

    Example:
        >>> join_names(["puma", "cougar", "puma"]), join_names(["A|B", "C"])
        ('puma|cougar', 'A\\|B|C')
    """
    return _NAMES.join(dict.fromkeys(name for text in names if (name := text.strip())))


def first_names(cells: StrArray) -> StrArray:
    """The first name in each cell; blank if there is none.

    Example:
        >>> from cladewise.taxonomy.arrays import strings
        >>> first_names(strings(["puma|cougar", "", "lynx"])).tolist()
        ['puma', '', 'lynx']
    """
    first = np.strings.strip(cells)
    rows = np.flatnonzero((np.strings.find(cells, NAME_SEPARATOR) >= 0) | (np.strings.find(cells, "\\") >= 0))
    first[rows] = [next(iter(split_names(str(cell))), "") for cell in cells[rows]]
    return first


def escaped_names(names: pl.Series) -> pl.Series:
    r"""A column with one name per row as one of cells, for joining with ``|`` later.

    Example:
        >>> import polars as pl
        >>> escaped_names(pl.Series(["puma", "A|B"])).to_list()
        ['puma', 'A\\|B']
    """
    rows = names.str.contains(r"[|\\]").fill_null(False).arg_true()
    if not rows.len():
        return names
    return names.clone().scatter(rows, [_NAMES.escaped(name) for name in names.gather(rows).to_list()])  # in place


def names_by_row(cells: pl.Series) -> pl.DataFrame:
    r"""Every name in a column of cells, one per row, without blank ones: its ``row`` in the column and the ``name``.

    Example:
        >>> import polars as pl
        >>> names_by_row(pl.Series(["puma|cougar", "", r"A\|B"])).rows()
        [(0, 'puma'), (0, 'cougar'), (2, 'A|B')]
    """
    import numpy as np
    import polars as pl

    rows = (cells != "").arg_true()
    names = [split_names(cell) for cell in cells.gather(rows).to_list()]
    owner = rows.gather(np.repeat(np.arange(rows.len()), [len(own) for own in names])).alias("row")
    return pl.DataFrame([owner, pl.Series("name", [name for own in names for name in own], dtype=pl.String)])


def vernacular_column(language: str) -> str:
    """The column for names in a language; ``name:und`` if the language is blank.

    Example:
        >>> vernacular_column("pt_BR"), vernacular_column("eng"), vernacular_column("")
        ('name:pt-BR', 'name:en', 'name:und')
    """
    return VERNACULAR + language_code(language)


def language_code(text: str) -> str:
    """The BCP 47 code of a language: its shortest one, in the usual case.

    Codes of ISO 639-2 and 639-3, as in Darwin Core and ColDP, become those of BCP 47. Other texts are kept as given.

    Example:
        >>> [language_code(text) for text in ("eng", "pt_BR", "zh-hans", "ger", "", "Old Tongue")]
        ['en', 'pt-BR', 'zh-Hans', 'de', 'und', 'Old Tongue']
    """
    given = text.strip()
    if not given:
        return UNKNOWN_LANGUAGE
    import langcodes  # slow to import, and few trees need it

    return langcodes.standardize_tag(given) if langcodes.tag_is_valid(given) else given


def is_language(text: str) -> bool:
    """Whether a text is a language code that BCP 47 knows.

    Example:
        >>> is_language("pt-BR"), is_language("eng"), is_language("Old Tongue"), is_language("xyz")
        (True, True, False, False)
    """
    import langcodes

    return langcodes.tag_is_valid(text)


def languages(taxonomy: WithColumns) -> dict[str, str]:
    """The column of each language that a tree has names in, by the language's code, in the order of the columns.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy([-1, 0], ["cats", "Puma"], columns={"id": ["1", "2"], "name:pt_BR": ["", "onça-parda"]})
        >>> languages(t)
        {'pt-BR': 'name:pt_BR'}
    """
    found: dict[str, str] = {}
    for column in taxonomy.columns:
        if column.startswith(VERNACULAR) and (language := column[len(VERNACULAR) :].strip()):
            found.setdefault(language_code(language), column)
    return found


def columns_of_language(taxonomy: WithColumns, language: str) -> list[str]:
    """The columns to take a name in a language from, the first one that has a name: its own, then those of less
    specific codes (``fr-CA``, then ``fr``), as in RFC 4647's look-up.

    Raises:
        InputError: The tree has no names in the language.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy([-1], ["Puma"], columns={"name:fr": ["puma"], "name:en": ["cougar"]})
        >>> columns_of_language(t, "fr-CA")
        ['name:fr']
    """
    known = languages(taxonomy)
    parts = language_code(language).split("-")
    wanted = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = [known[code] for code in wanted if code in known]
    if not found:
        has = f"one of the languages that the taxonomy has names in ({', '.join(known)})"
        raise InputError(has if known else f"a taxonomy with names in {language}", repr(language) if known else "none")
    return found
