"""Splits of the rows of somebody's scores: to fit rules on, to judge them by, and without labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.datasets.split_names import split_name
from cladewise.engine.answering.recorded_scores import NO_LABEL, UNLABELLED
from cladewise.errors import InputError
from cladewise.scores import Scores

IntArray = NDArray[np.int64]

FIT, JUDGE = "val", "test"
"""Names of the splits that are drawn: rules are fitted on the first and judged by the second."""
SHARE = 0.5
"""Share of the labelled rows that rules are fitted on, unless another is chosen."""


@dataclasses.dataclass(frozen=True)
class Splits:
    """The rows of each split, ascending.

    Args:
        rows: By the name of the split; those without labels are ``unlabelled``.
        fit: The split that rules are fitted on; empty if there is none.
        share: Share of the labelled rows that was drawn for it; 0 if the splits were given.
        note: How rows were split, as a sentence; empty if there is nothing to tell.
    """

    rows: Mapping[str, IntArray]
    fit: str
    share: float
    note: str

    @property
    def judged(self) -> str:
        """The split that answers are judged by: ``test``, or else the last one with labels; empty if there is none."""
        labelled = [name for name in self.rows if name != UNLABELLED]
        others = [name for name in labelled if name != self.fit] or labelled
        return JUDGE if JUDGE in labelled else others[-1] if others else ""


def splits_of(scores: Scores, *, share: float = SHARE, seed: int = 0) -> Splits:
    """The splits that come with the labels, or a random share of the labelled rows to fit rules on and the rest.

    The share is drawn from all labelled rows alike, so that a rule's promise holds for the rest.

    Args:
        scores: The scores.
        share: Share of the labelled rows to fit rules on, in [0, 1], if the labels come without splits.
        seed: Seed of the draw.

    Raises:
        InputError: The share is not in [0, 1], or some labelled rows have a split and others have none.
    """
    if not 0 <= share <= 1:
        raise InputError("a share of the labelled rows in [0, 1]", share)
    target = np.full(scores.num_rows, NO_LABEL) if scores.targets is None else scores.targets
    labelled, rest = np.flatnonzero(target != NO_LABEL), np.flatnonzero(target == NO_LABEL)
    unlabelled = {UNLABELLED: rest} if rest.size else {}
    if scores.splits is not None and labelled.size:
        given = _given(scores, labelled)
        fit = FIT if FIT in given else ""
        return Splits({**given, **unlabelled}, fit, 0.0, "")
    chosen = np.random.default_rng(seed).permutation(labelled)[: round(share * labelled.size)]
    fit, judged = np.sort(chosen), np.setdiff1d(labelled, chosen)
    drawn = {name: rows for name, rows in ((FIT, fit), (JUDGE, judged)) if rows.size}
    note = ""
    if fit.size and judged.size:
        note = (
            f"{fit.size:,} of {labelled.size:,} labelled rows are drawn at random (seed {seed}) to fit rules on: "
            f"split {FIT}. The other {judged.size:,} are {JUDGE}."
        )
    return Splits({**drawn, **unlabelled}, FIT if fit.size else "", share if fit.size else 0.0, note)


def _given(scores: Scores, labelled: IntArray) -> dict[str, IntArray]:
    """The labelled rows of each split that is named in the table of labels, in order of first appearance."""
    assert scores.splits is not None
    texts = scores.splits.cast(pl.String).fill_null("").str.strip_chars()[labelled]
    blank = (texts == "").arg_true()
    if blank.len():
        row = int(labelled[blank[0]])
        raise InputError("a split for every row with a label, or for none", "none", at=scores.at(row))
    distinct = texts.unique(maintain_order=True)
    names = texts.replace_strict(distinct, [split_name(text) or text for text in distinct])
    for name in names.unique(maintain_order=True):
        if name == UNLABELLED or "+" in name or "/" in name or "\\" in name:
            raise InputError(f"the name of a split other than {UNLABELLED}, without +, / and \\", repr(name))
    given = names.to_numpy()
    return {name: labelled[given == name] for name in names.unique(maintain_order=True)}
