"""Tables with a row per image and columns per rank of its list: ``label_0, prob_0, label_1, prob_1``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.scores.classes import ScoredClass
from cladewise.scores.formats.long import CLASS_WORDS, SCORE_WORDS, whole
from cladewise.scores.formats.seen import Seen
from cladewise.scores.formats.taxa import by_label_line, is_label_line
from cladewise.scores.formats.wide_columns import key_column
from cladewise.scores.tables import ListedTable, without_columns
from cladewise.taxonomy.names.sameness import loose

_NUMBERED = re.compile(r"(\D*?)[_\s.-]*(\d+)[_\s.-]*(\D*)")


def rank_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """The columns of class and score of each rank, best first; none if they do not come in pairs.

    Example:
        >>> rank_pairs(["file", "top1_label", "top1_score", "top2_label", "top2_score"])
        [('top1_label', 'top1_score'), ('top2_label', 'top2_score')]
    """
    classes: dict[int, list[str]] = {}
    scores: dict[int, list[str]] = {}
    for name in names:
        found = _NUMBERED.fullmatch(name)
        if found is None:
            continue
        word = loose(f"{found[1]}{found[3]}")
        if SCORE_WORDS.fullmatch(word.removeprefix("top").removeprefix("pred")):
            scores.setdefault(int(found[2]), []).append(name)
        elif CLASS_WORDS.fullmatch(word):
            classes.setdefault(int(found[2]), []).append(name)
    ranks = sorted(classes.keys() & scores.keys())
    if classes.keys() != scores.keys() or any(len(classes[k]) > 1 or len(scores[k]) > 1 for k in ranks):
        return []
    return [(classes[k][0], scores[k][0]) for k in ranks]


def read(seen: Seen) -> ListedTable:
    """Read a table with columns per rank; a row whose list is shorter has blanks.

    Raises:
        InputError: There are no pairs of columns, or a class has no score.
    """
    frame, at = whole(seen), str(seen.path)
    pairs = rank_pairs(frame.columns)
    if not pairs:
        raise InputError("columns like label_0 and prob_0", ", ".join(frame.columns[:8]), at=at)
    used = [name for pair in pairs for name in pair]
    rest = [name for name in frame.columns if name not in used]
    key = seen.options.key or key_column(rest)
    parts = [
        frame.select(
            __row=pl.Series(np.arange(frame.height)),
            __class=frame[named].cast(pl.String).fill_null(""),
            __score=frame[score].cast(pl.Float64, strict=False),
        ).filter((pl.col("__class") != "") | pl.col("__score").is_not_null())
        for named, score in pairs
    ]
    entries = pl.concat(parts).sort("__row", maintain_order=True)
    lacking = entries.filter(pl.col("__score").is_null() | (pl.col("__class") == ""))
    if lacking.height:
        row = lacking["__row"][0]
        raise InputError("a class and a score at every rank", "one without the other", at=f"{at}, row {row + 1:,}")
    distinct = entries["__class"].unique(maintain_order=True)
    place = pl.DataFrame({"__class": distinct, "number": np.arange(distinct.len())})
    class_of = entries.join(place, on="__class", how="left", maintain_order="left")["number"].to_numpy()
    classes = tuple(by_label_line(text) if is_label_line(text) else ScoredClass(text) for text in distinct)
    rows = frame.select(rest) if rest else without_columns(frame.height)
    return ListedTable(at, classes, rows, key, entries["__row"].to_numpy(), class_of, entries["__score"].to_numpy())
