"""Normalisations of names, for deciding whether two of them are the same.

Each is coarser than the one before: the same characters (:func:`composed`), visually the same (:func:`visible`), the
same except for case (:func:`folded`), and the same except for case, blanks and joining marks (:func:`loose`).
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    # Unicode's Default_Ignorable_Code_Point: zero-width spaces and joiners, direction marks, soft hyphens, selectors
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINING = re.compile(r"[\s_.'’-]+")
_ASCII_JOINING = str.maketrans("", "", " \t\n\r\v\f\x1c\x1d\x1e\x1f_.'-")


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC), so that both ways of storing accents give one text.

    Example:
        >>> composed("Aze\u0301") == "Az\u00e9"
        True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def visible(name: str) -> str:
    """The name as it looks: composed, without zero-width characters and stray white space.

    Example:
        >>> visible(" pear\u200b"), visible("Pink\u00a0 Lady")
        ('pear', 'Pink Lady')
    """
    return " ".join((name if name.isascii() else composed(_INVISIBLE.sub("", name))).split())


def folded(name: str) -> str:
    """The visible name without case.

    Example:
        >>> folded("  Pink   Lady") == folded("pink lady")
        True
    """
    return composed(visible(name).casefold())


def loose(name: str) -> str:
    """The folded name without blanks, underscores, hyphens, dots and apostrophes.

    Example:
        >>> loose("Granny-Smith") == loose("granny_smith") == loose("Granny Smith")
        True
    """
    if name.isascii():  # nearly all names, and several times faster
        return name.lower().translate(_ASCII_JOINING) or name.lower()
    text = folded(name)
    return _JOINING.sub("", text) or text
