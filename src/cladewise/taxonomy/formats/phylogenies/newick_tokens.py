"""Tokeniser for Newick text in the dialects of common tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from cladewise.errors import InputError

Kind = Literal["mark", "quoted", "bare"]

# A bare label may hold blanks and apostrophes inside (treeswift, Biopython), but no quote begins after a blank.
# It may begin with a doubled apostrophe: scikit-bio doubles them without quoting.
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\[[^\]]*\])
      | (?P<mark>[(),:;])
      | (?P<bare>(?:''(?=[^'\s()\[\]:;,])|[^\s()\[\]:;,'"])
                 (?:[^\s()\[\]:;,]++|\s++(?=[^\s()\[\]:;,'"]))*)
      | '(?P<single>[^']*+(?:''[^']*+)*+)'
      | "(?P<double>[^"]*+(?:""[^"]*+)*+)"
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A bracket, comma, colon or semicolon, or a label without its quotes."""

    kind: Kind
    text: str
    position: int


class Text(NamedTuple):
    """Text of a file, with the file's name for messages.

    Example:
        >>> [token.text for token in Text("(it''s,'a b')\\"c\\";").tokens()]
        ['(', "it's", ',', 'a b', ')', 'c', ';']
    """

    content: str
    source: str = "the text"

    def tokens(self, start: int = 0, end: int | None = None) -> Iterator[Token]:
        """Tokens of a part of the text, without white space and comments in brackets.

        Raises:
            InputError: A quote or bracket is not closed.
        """
        position, end = start, len(self.content) if end is None else end
        while position < end:
            found = _TOKEN.match(self.content, position, end)
            if found is None:
                raise self.wrong("a quote or bracket that is not closed", position)
            kind, text = found.lastgroup, found[found.lastgroup or 0]
            if kind == "mark":
                yield Token("mark", text, position)
            elif kind == "bare":
                yield Token("bare", text.replace("''", "'"), position)
            elif kind == "single":
                yield Token("quoted", text.replace("''", "'"), position)
            elif kind == "double":
                yield Token("quoted", text.replace('""', '"'), position)
            position = found.end()

    def wrong(self, got: str, position: int, advice: str = "") -> InputError:
        """An error at a position of the text."""
        line = self.content.count("\n", 0, position) + 1
        return InputError("a Newick tree that ends in ';'", got, at=f"{self.source}:{line}", advice=advice)
