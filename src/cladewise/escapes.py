"""Escaping of control characters, so that a terminal shows text instead of obeying it."""

from __future__ import annotations

import re

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except tab and line feed, bidirectional marks, and lone surrogates."""


def escaped(text: str) -> str:
    r"""The text with control characters as escapes, so that a name can neither move the cursor nor reverse the text.

    Example:
        >>> print(escaped("wren\x1b[2J\u202egpj"))
        wren\x1b[2J\u202egpj
    """
    return _OBEYED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("ascii", "backslashreplace").decode() if ord(found[0]) > 0x7F else f"\\x{ord(found[0]):02x}"
