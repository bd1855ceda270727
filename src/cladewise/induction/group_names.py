"""Names of groups, from words that most of their members share and few other classes have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

LONGEST = 4
"""Most words of a name."""
LEAST_SHARE = 0.7
"""Share of the members that must have the words."""
LEAST_INSIDE = 0.5
"""Share of the classes with the words that must be members."""
EMPTY = frozenset(("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"))
"""Words that are no name by themselves."""
SHOWN = 2
"""Members in the name of a group that share no words."""


def words_of(name: str) -> list[str]:
    """The words of a class name: parts between blanks, hyphens, underscores and capitals.

    Example:
        >>> words_of("Granny-Smith"), words_of("appleJuice_2")
        (['Granny', 'Smith'], ['apple', 'Juice', '2'])
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", parted)


class CommonWords:
    """Runs of words in class names, and the names that they give to groups.

    Args:
        names: Name of every class.

    Example:
        >>> CommonWords(["Fuji Apple", "Gala Apple", "Bosc Pear"]).name(np.array([0, 1]))
        ('Apple', '2 of 2 members have the words, and no other class')
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._runs = [_runs(words_of(name)) for name in self.names]
        self._classes_by_run = Counter(run for runs in self._runs for run in runs)

    def name(self, members: IntArray, but: Sequence[str] = ()) -> tuple[str, str] | None:
        """Words that 70% of the members have, and few other classes; and the evidence. ``None`` if there are none.

        At least half of the classes with the words have to be members. Of several, those with the
        largest harmonic mean of these two shares are taken, then the longest, then those that are last in the names.

        Args:
            members: The classes of the group.
            but: Names that are taken by groups above it.
        """
        held = Counter(run for member in members.tolist() for run in self._runs[member])
        taken = {tuple(word.casefold() for word in words_of(name)) for name in but}
        best: tuple[tuple[float, int, float, tuple[str, ...]], int] | None = None
        for run, count in held.items():
            inside, share = count / self._classes_by_run[run], count / members.size
            if count < 2 or share < LEAST_SHARE or inside < LEAST_INSIDE or run in taken:
                continue
            late = sum(self._runs[m][run] for m in members.tolist() if run in self._runs[m]) / count
            key = (2 * inside * share / (inside + share), len(run), late, run)
            if best is None or key > best[0]:
                best = key, count
        if best is None:
            return None
        (_, _, _, run), count = best
        others = self._classes_by_run[run] - count
        other = "no other class" if others == 0 else f"{others} other class{'es' if others > 1 else ''}"
        return self._spelt(run, members), f"{count} of {members.size} members have the words, and {other}"

    def listed(self, members: IntArray) -> str:
        """The first members in the order of their names, for a group that shares no words."""
        shown = sorted(self.names[member] for member in members.tolist())[:SHOWN]
        return ", ".join(shown) + (", …" if members.size > SHOWN else "")

    def _spelt(self, run: tuple[str, ...], members: IntArray) -> str:
        """The words as the first member writes them."""
        for member in sorted(members.tolist(), key=self.names.__getitem__):
            words = words_of(self.names[member])
            for start in range(len(words) - len(run) + 1):
                if tuple(word.casefold() for word in words[start : start + len(run)]) == run:
                    return " ".join(words[start : start + len(run)])
        return " ".join(run)


def _runs(words: Sequence[str]) -> dict[tuple[str, ...], float]:
    """Runs of up to four words, with their place in the name from 0 to 1 at its end."""
    low = [word.casefold() for word in words]
    found: dict[tuple[str, ...], float] = {}
    for size in range(1, min(LONGEST, len(low)) + 1):
        for start in range(len(low) - size + 1):
            run = tuple(low[start : start + size])
            if run[0] in EMPTY or run[-1] in EMPTY or all(len(word) < 2 or word.isdecimal() for word in run):
                continue
            found[run] = (start + size) / len(low)
    return found
