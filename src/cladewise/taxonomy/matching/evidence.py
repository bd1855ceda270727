"""Kinds of evidence that two nodes correspond, how strong each is, and how they add up to a certainty.

A kind of evidence has a weight: how probable a correspondence is if there is nothing else for or against it. Kinds are
taken as independent, so that the certainty of a pair is

.. math:: 1 - \\prod_k (1 - w_k)

over its kinds of evidence :math:`k` with weights :math:`w_k`, reduced if something speaks against it. Of the name, its
spelling and its words, the strongest counts. A text that several nodes have weighs less: its weight is divided by their
number.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import polars as pl

Kind = Literal["id", "former id", "name", "synonym", "language", "text", "spelling", "word"]
Ignorable = Literal["ids", "names", "synonyms", "languages", "texts", "spelling"]

ID_WEIGHT = 0.95
"""Weight of an equal id, times the share of ids that agree with the names."""
FORMER_ID = 0.9
FAMILY = {"spelling": "name", "word": "name"}
"""Kinds that say the same as another: the strongest of them counts."""
NAME, NAME_FOLDED, NAME_LOOSE = 0.7, 0.65, 0.6
"""Weights of the same name: to the letter, except for case and white space, except for joining marks too."""
SYNONYM = 0.6
LANGUAGE = 0.55
TEXT = 0.6
"""Weight of an equal text in a further column, such as a description."""
REST = 0.6
"""Weight of names that differ only in the words of the parent's name, as *Felis concolor* and *Puma concolor*."""
WORD = 0.4
"""Weight of a common word that few nodes have, other than those of the parent's name."""
SPELLING = 0.6
"""Weight of the same spelling; less for similar ones, down to 0 at :data:`LEAST_SIMILAR`."""
LEAST_SIMILAR = 0.75
SAME_PARENT = 0.6
"""Weight of parents that correspond."""
SAME_CHILD = 0.85
"""Weight of parents that correspond and have one child of the same name each, except for case and joining marks."""
NEAR = 0.5
"""Weight of a common ancestor of few leaves, times 1 - (its share of the leaves)."""
SAME_LEAVES = 0.95
"""Weight of the same leaves below two nodes, times the overlap and n / (n + 1) for n leaves."""

OTHER_ID = 0.7
"""Factor if both nodes have ids, which differ."""
OTHER_LEAVES = 0.6
"""Least factor if leaves below two nodes correspond to others."""
OTHER_LEVEL = 0.8
"""Factor if nodes are at different levels of the same names, such as an order and a family."""

SETTLED = 0.9
"""Least certainty of a pair whose names are not compared letter by letter."""
SHOWN = 0.5
"""Least certainty of a pair that is proposed."""
CERTAIN = 0.75
"""Least certainty of a pair that a person need not look at."""

SCHEMA = pl.Schema(
    {"old": pl.Int64(), "new": pl.Int64(), "kind": pl.String(), "weight": pl.Float64(), "text": pl.String()}
)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Direct evidence for pairs of nodes, one row per pair and kind: what their own texts say, wherever they are.

    Attributes:
        frame: Columns ``old``, ``new``, ``kind``, ``weight`` and ``text``, which explains it to people.
        trust: Weight of an equal id; 0 if ids are not used.
        note: What was decided about ids, for people; blank if there is nothing to say.
    """

    frame: pl.DataFrame
    trust: float = 0.0
    note: str = ""

    def plus(self, frame: pl.DataFrame) -> Evidence:
        """With more rows."""
        return dataclasses.replace(self, frame=pl.concat([self.frame, frame]) if frame.height else self.frame)
