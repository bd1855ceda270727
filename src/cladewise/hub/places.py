"""Texts and records without the folders of the machine they were written on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_ABSOLUTE = re.compile(r"(?<![\w:/\\.])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\'\"`]+[/\\])+(?=[^\s/\\'\"`]|$)")
"""Folders of an absolute path; not those of a URL, nor of a path of names such as ``Fruit/Apple``."""


_BELOW = r"(?:[^\s/\\'\"`]+[/\\])*"
"""Folders below one."""


class Places:
    """Folders of this machine, which are cut from texts: known ones, and all that look like absolute paths.

    Args:
        known: Folders and files whose paths may contain blanks, such as that of the data.

    Example:
        >>> places = Places(["/data/Jane Doe/birds"])
        >>> places.cut("subset:allowed=/home/jane/region.txt of /data/Jane Doe/birds/list.csv")
        'subset:allowed=region.txt of list.csv'
        >>> places.cut("https://example.org/a/b, Fruit/Apple")
        'https://example.org/a/b, Fruit/Apple'
    """

    def __init__(self, known: Iterable[str | Path]) -> None:
        absolute = {str(place).rstrip("/\\") for place in known if Path(place).is_absolute()}
        self._known = sorted((place for place in absolute if len(place) > 1), key=len, reverse=True)

    def cut(self, text: str) -> str:
        """The text with each path shortened to its name."""
        for place in self._known:
            text = re.sub(rf"{re.escape(place)}[/\\]{_BELOW}", "", text)
            text = re.sub(rf"{re.escape(place)}(?![\w-])", lambda _, place=place: Path(place).name, text)
        return _ABSOLUTE.sub("", text)

    def cut_all(self, content: Any) -> Any:
        """A record of nested lists and tables, with every text cut.

        Example:
            >>> Places([]).cut_all({"warnings": ["no file /home/jane/a.jpg"], "seed": 1})
            {'warnings': ['no file a.jpg'], 'seed': 1}
        """
        if isinstance(content, str):
            return self.cut(content)
        if isinstance(content, dict):
            return {key: self.cut_all(value) for key, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.cut_all(value) for value in content]
        return content
