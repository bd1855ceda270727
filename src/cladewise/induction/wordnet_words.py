"""Look-up of class names in WordNet's nouns: spelling, plurals, and the head word of a compound."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

from cladewise.errors import InputError
from cladewise.induction.group_names import words_of
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.wordnet import read_wordnet

USUAL_PLACE = Path("/usr/share/wordnet")
"""Folder of Debian's package wordnet-base."""
LEAST_INFORMATION = 0.25
"""Least information of a hypernym that says something, from 0 at the root to 1 at a synset without hyponyms: more
general ones name no group."""
ENDINGS = (
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("ies", "y"),
    ("men", "man"),
    ("s", ""),
)
"""Plural endings and what replaces them, from WordNet's own morphology."""


@dataclasses.dataclass(frozen=True)
class Sense:
    """A meaning that a class name may have.

    Args:
        node: Node of its synset in WordNet's tree.
        rank: Its place among the senses of the word, 0 for the most frequent.
        word: The word that was found: the name itself, or a part of it.
        whole: Whether that is the whole name, so that the class is the synset rather than a kind of it.
        is_head: Whether the word is at the end of the name, where English has the head of a compound.
    """

    node: int
    rank: int
    word: str
    whole: bool
    is_head: bool = True


class WordNetNouns:
    """WordNet's noun tree, with the senses of every word.

    A synset with several hypernyms is placed under the one that WordNet lists first.

    Args:
        folder: WordNet's folder, with ``data.noun``, ``index.noun`` and ``noun.exc``; without the last two, senses are
            in the order of the synsets, and irregular plurals are not found.

    Raises:
        InputError: It is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        file = folder if folder.is_file() else folder / "data.noun"
        if not file.is_file():
            raise InputError(
                "WordNet's folder with its data.noun",
                "none",
                at=str(folder),
                advice="It is in Debian's package wordnet-base, in /usr/share/wordnet.",
            )
        self.tree: Taxonomy = read_wordnet(file, parents="first")
        self.ids: list[str] = self.tree.columns["id"].tolist()
        node_by_id = {synset: node for node, synset in enumerate(self.ids)}
        self._senses: dict[str, list[int]] = {}
        index = file.with_name("index.noun")
        if index.is_file():
            for line in read_text(index).split("\n"):
                if line and not line.startswith(" "):
                    fields = line.split()
                    nodes = [
                        node_by_id[f"n{offset}"] for offset in fields[-int(fields[2]) :] if f"n{offset}" in node_by_id
                    ]
                    self._add(fields[0], nodes)
        else:
            for synset in sorted(node_by_id):
                node = node_by_id[synset]
                for word in str(self.tree.columns["words"][node]).split(", "):
                    self._add(word, [node])
        self._singular: dict[str, str] = {}
        exceptions = file.with_name("noun.exc")
        if exceptions.is_file():
            for line in read_text(exceptions).split("\n"):
                plural, _, singular = line.partition(" ")
                self._singular.setdefault(_key(plural), _key(singular.split(" ")[0]))

    def _add(self, word: str, nodes: list[int]) -> None:
        held = self._senses.setdefault(_key(word), [])
        held += [node for node in nodes if node not in held]

    def meaning(self, node: int) -> str:
        """Name, id and the beginning of the gloss of a synset."""
        gloss = re.sub(r"\s*\([^)]*\)\s*", " ", str(self.tree.columns["description"][node])).split(";")[0].strip()
        return f"{self.tree.names[node]} [{self.ids[node]}: {gloss}]"

    def senses(self, name: str) -> list[Sense]:
        """The senses of a class name, the most frequent first; empty if no word of it is a noun of WordNet.

        The whole name is looked up first, then its singular. A name with commas (``tench, Tinca tinca``) has the senses
        that most of its parts have. Otherwise the longest run of words that is found decides, at the end of the name
        if possible, where English has the head of a compound: the class is then a kind of it.
        """
        parts = [part for part in (part.strip() for part in name.split(",")) if part]
        found: dict[int, list[Sense]] = {}
        for part in parts:
            for rank, node in enumerate(self._nodes(part)):
                found.setdefault(node, []).append(Sense(node, rank, part, True))
        if found:  # of several synonyms, a meaning that more of them have is the one that was meant
            most = max(map(len, found.values()))
            best = [min(row, key=lambda sense: sense.rank) for row in found.values() if len(row) == most]
            return sorted(best, key=lambda sense: (sense.rank, self.ids[sense.node]))
        words = words_of(parts[0]) if parts else []
        runs = [
            (start, start + size) for size in range(len(words), 0, -1) for start in range(len(words) - size, -1, -1)
        ]
        for start, stop in sorted(runs, key=lambda run: (run[1] < len(words), run[0] - run[1], -run[1])):
            run = " ".join(words[start:stop])
            nodes = self._nodes(run) if len(run) > 1 and not run.isdecimal() else []
            if nodes:
                return [Sense(node, rank, run, False, stop == len(words)) for rank, node in enumerate(nodes)]
        return []

    def _nodes(self, text: str) -> list[int]:
        """Synsets of a word or its singular."""
        key = _key(text)
        if found := self._senses.get(key):
            return found
        if (singular := self._singular.get(key)) and (found := self._senses.get(singular)):
            return found
        for ending, instead in ENDINGS:
            if key.endswith(ending) and len(key) > len(ending) + 1:
                found = self._senses.get(key[: -len(ending)] + instead)
                if found:
                    return found
        return []

    def information(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        r"""Information of every node, 0 at the root and 1 at a leaf: :math:`1 - \log(n_v) / \log(N)`.

        :math:`n_v` of the N nodes are at or under v.

        References: Seco, Veale and Hayes, An intrinsic information content metric for semantic similarity in WordNet,
            ECAI 2004.
        """
        under = self.tree.end - np.arange(self.tree.num_nodes)
        return 1 - np.log(under) / max(np.log(self.tree.num_nodes), 1e-9)


def _key(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text).strip().casefold()
