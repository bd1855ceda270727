"""The table ``[scores]`` of a configuration: where the scores of a run without a network come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cladewise.catalogue import nearest
from cladewise.errors import InputError

_ADVICE = "Restore the file written by decide, or decide again."


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoresTable:
    """Scores that another tool made, and how they were read.

    Args:
        digest: Digest of the content of the scores.
        files: Absolute paths of the files; none if the scores were given in memory.
        options: Options they were read with; see :func:`cladewise.scores.open_scores`.
        labels: Digest of the labels and splits of the rows; empty if there are no labels.
        fit_split: Split that rules are fitted on; empty if there is none.
        fit_share: Share of the labelled rows drawn for it; 0 if the splits were given.
    """

    digest: str
    files: tuple[str, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    labels: str = ""
    fit_split: str = ""
    fit_share: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As a table of plain values."""
        return {**dataclasses.asdict(self), "files": list(self.files), "options": dict(self.options)}


def read_scores_table(content: Mapping[str, Any], *, at: str) -> ScoresTable:
    """The table from its entries.

    Raises:
        InputError: An entry is missing, unknown, or of another type.

    Example:
        >>> read_scores_table({"digest": "3f", "files": ["/data/scores.csv"]}, at="config.toml").files
        ('/data/scores.csv',)
        >>> read_scores_table({"file": "a.csv"}, at="a.toml")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected an entry of [scores]: ..., but got 'file' at a.toml. Did you mean files?
    """
    kinds: dict[str, type | tuple[type, ...]] = {
        "digest": str,
        "files": list,
        "options": Mapping,
        "labels": str,
        "fit_split": str,
        "fit_share": (int, float),
    }
    for name, value in content.items():
        if name not in kinds:
            expected = f"an entry of [scores]: {', '.join(kinds)}"
            raise InputError(expected, repr(name), at=at, advice=nearest(name, kinds))
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise InputError(f"{name} of another type in [scores]", repr(value), at=at, advice=_ADVICE)
    if "digest" not in content:
        raise InputError("the digest of the scores in [scores]", "none", at=at, advice=_ADVICE)
    files = content.get("files", [])
    if not all(isinstance(file, str) for file in files):
        raise InputError("files in [scores] that are texts", repr(files), at=at, advice=_ADVICE)
    entries: dict[str, Any] = {**content, "files": tuple(files), "fit_share": float(content.get("fit_share", 0.0))}
    return ScoresTable(**entries)
