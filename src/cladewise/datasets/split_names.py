"""Recognition of split names in folders and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cladewise.errors import warn

_WORDS = {
    "train": "train|training",
    "val": "val|valid|validation|dev|devel|development",
    "test": "test|testing",
    "eval": "eval|evaluation",
    "holdout": "hold[-_ ]?out|held[-_ ]?out",
    "unlabeled": "unlabell?ed",
    "extra": "extras?",
}
_OF = "images?|imgs?|photos?|pictures?|files?|data"
_NAMES = re.compile(
    rf"(?:(?:{_OF}|\d+)[-_. ]?)?(?:{'|'.join(f'(?P<{split}>{words})' for split, words in _WORDS.items())})"
    rf"(?:[-_. ]?(?:set|split|{_OF}))?(?:[-_. ]?v?\d+)?",
    re.IGNORECASE,
)
_FOLD = re.compile(r"(?:fold|split)[-_ ]?(\d+)", re.IGNORECASE)


def split_name(name: str) -> str | None:
    """The canonical split name for a folder or cell text; None if it is not the name of a split.

    Example:
        >>> split_name("Validation"), split_name("train2017"), split_name("test_images"), split_name("fold_0")
        ('val', 'train', 'test', 'fold0')
        >>> split_name("tiger"), split_name("trainer")
        (None, None)
    """
    found = _NAMES.fullmatch(name.strip())
    if found is not None:
        return found.lastgroup
    fold = _FOLD.fullmatch(name.strip())
    return None if fold is None else f"fold{int(fold[1])}"


def tell_joined(names: Iterable[str], at: str) -> None:
    """Warn about splits that are named by several texts differing by more than case."""
    texts: dict[str, dict[str, None]] = {}
    for name in names:
        texts.setdefault(split_name(name) or name, {})[name.strip().lower()] = None
    for split, named in texts.items():
        if len(named) > 1:
            warn(f"the split {split} is made of several: {', '.join(named)}", at=at)
