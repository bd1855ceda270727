r"""Several names in one text, joined by a character that may also occur inside a name.

Inside a name the character is written with a backslash before it, and a backslash that would read as part of such a
pair is doubled; all other names are written unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class Joiner:
    r"""Joins names with one character, and splits them again.

    Example:
        >>> slash = Joiner("/")
        >>> slash.join(["Bags", "Luggage/Suitcases"]), slash.split(r"Bags/Luggage\/Suitcases")
        ('Bags/Luggage\\/Suitcases', ['Bags', 'Luggage/Suitcases'])
    """

    def __init__(self, sign: str) -> None:
        self.sign = sign
        s = re.escape(sign)
        self._unclear = re.compile(rf"{s}|\\(?=[\\{s}]|\Z)")
        self._token = re.compile(rf"\\[\\{s}]|{s}|\\|[^{s}\\]+")

    def join(self, names: Iterable[str]) -> str:
        """The names as one text, the inverse of :meth:`split`."""
        return self.sign.join(map(self.escaped, names))

    def escaped(self, name: str) -> str:
        """One name as it is written between others."""
        return self._unclear.sub(r"\\\g<0>", name) if self.sign in name or "\\" in name else name

    def split(self, text: str) -> list[str]:
        """The names in a text."""
        if "\\" not in text:
            return text.split(self.sign)
        names = [""]
        for token in self._token.findall(text):
            if token == self.sign:
                names.append("")
            else:
                names[-1] += token[1] if len(token) == 2 and token[0] == "\\" else token
        return names
