"""WordNet's noun hierarchy, whole or restricted to some synsets, such as ImageNet's, and their ancestors.

The format of ``data.noun``: https://wordnet.princeton.edu/documentation/wndb5wn. ImageNet's ids are the offsets of
WordNet 3.0 prefixed with ``n``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.options import Parents, ReadOptions
from cladewise.taxonomy.formats.synset_lists import SynsetList, offsets, read_list, with_classes
from cladewise.taxonomy.further_edges import edge_on_cycle
from cladewise.taxonomy.order import cycles
from cladewise.taxonomy.several_parents import most_specific_first
from cladewise.taxonomy.tree import Taxonomy

HYPERNYM_POINTERS = ("@", "@i")


@dataclasses.dataclass(frozen=True)
class Synset:
    """One meaning: its id, the words for it, the ids of its hypernyms in WordNet's order, and its gloss."""

    id: str
    words: tuple[str, ...]
    hypernyms: tuple[str, ...]
    gloss: str


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the noun hierarchy with the options of :func:`cladewise.taxonomy.read`; see :func:`read_wordnet`."""
    return read_wordnet(path, ids=options.ids, parents=options.parents)


def read_wordnet(
    path: Path, *, ids: str | PathLike[str] | Sequence[str] | None = None, parents: Parents = "error"
) -> Taxonomy:
    """Read the noun hierarchy, or the part between the root and some synsets.

    A node's name is the first word of its synset, with spaces for underscores; its columns are ``id``, ``words`` and
    ``description``.

    Args:
        path: WordNet's folder, or its ``data.noun``.
        ids: Synsets to keep, such as ``n02084071`` or ``dog.n.01``, or a file of them: one per line, with or without
            words, ImageNet's index of classes, or LVIS' categories; see
            :mod:`cladewise.taxonomy.formats.synset_lists`. Nodes of classes then have the names, ids and other texts
            of the file. Defaults to all.
        parents: For a synset with several hypernyms, raise an error, or keep the first, the last, or all; the primary
            parent is then the first that is not an ancestor of another.

    Raises:
        InputError: The file is not WordNet's, a synset is unknown, or one has several hypernyms.
    """
    file = path / "data.noun" if path.is_dir() else path
    synsets = read_synsets(file)
    if ids is None:
        return _tree(synsets, list(synsets), parents, file)
    at, listed = (str(ids), read_list(Path(ids))) if isinstance(ids, str | PathLike) else ("ids", _given(ids))
    found = offsets(listed.synsets, file.with_name("index.noun"))
    tree = _tree(synsets, list(dict.fromkeys(offset for offset in found if offset)), parents, file)
    if not listed.names and not listed.columns and None not in found:
        return tree
    return with_classes(tree, listed, found, at)


def _given(ids: Sequence[str]) -> SynsetList:
    return SynsetList(list(dict.fromkeys(ids)))


def _tree(synsets: dict[str, Synset], wanted: Sequence[str], parents: Parents, file: Path) -> Taxonomy:
    """The tree of some synsets and all their ancestors.

    Raises:
        InputError: A synset is unknown, or one has several hypernyms.
    """
    unknown = [synset for synset in wanted if synset not in synsets]
    if unknown or not wanted:
        raise InputError("synsets of this WordNet, like n02084071", some(unknown) or "none", at=str(file))
    kept = _with_ancestors(synsets, wanted, parents)
    several = [f"{synsets[s].words[0]} ({s})" for s in kept if len(synsets[s].hypernyms) > 1]
    if several and parents == "error":
        raise InputError(
            "one hypernym for each synset",
            f"{len(several)} with several: {some(several)}",
            at=str(file),
            advice='Pass parents="all" to keep them, or parents="first" to keep the one that WordNet lists first.',
        )
    position = {synset: node for node, synset in enumerate(kept)}
    tops = [synset for synset in kept if not synsets[synset].hypernyms]
    if len(tops) != 1:
        raise InputError("exactly one synset without a hypernym", some(tops) or "none", at=str(file))
    chosen = [[position[above] for above in _chosen(synsets[synset], parents)] for synset in kept]
    above = np.array([hypernyms[0] if hypernyms else -1 for hypernyms in chosen])
    edges = [(node, hypernym) for node, hypernyms in enumerate(chosen) for hypernym in hypernyms[1:]]
    further = np.array(edges, dtype=np.int64).reshape(-1, 2)
    if not cycles(above) and edge_on_cycle(above, further) is None:  # otherwise refused below
        above, further = most_specific_first(above, further)
    return Taxonomy.from_parents(
        above,
        [synsets[synset].words[0] for synset in kept],
        further_parents=further,
        columns={
            "id": kept,
            "words": [", ".join(synsets[synset].words) for synset in kept],
            "description": [synsets[synset].gloss for synset in kept],
        },
    )


def read_synsets(path: Path) -> dict[str, Synset]:
    """Every synset of ``data.noun`` by its id.

    Raises:
        InputError: A line is not one of WordNet's.
    """
    found: dict[str, Synset] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line or line.startswith(" "):  # the licence
            continue
        try:
            synset = _synset(line)
        except (IndexError, ValueError) as error:
            raise InputError("a line of WordNet's data.noun", f"{line:.40}", at=f"{path}:{number}") from error
        found[synset.id] = synset
    return found


def _synset(line: str) -> Synset:
    """Offset, file, type, number of words (hex), words with lexical ids, number of pointers, pointers, gloss."""
    data, _, gloss = line.partition(" | ")
    fields = data.split()
    num_words = int(fields[3], 16)
    words = tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * num_words : 2])
    start = 5 + 2 * num_words
    pointers = fields[start : start + 4 * int(fields[start - 1])]
    kinds, offsets = pointers[::4], pointers[1::4]
    hypernyms = tuple(f"n{to}" for kind, to in zip(kinds, offsets, strict=True) if kind in HYPERNYM_POINTERS)
    if len(words) != num_words or not fields[0].isdigit():
        raise ValueError(line)
    return Synset(f"n{fields[0]}", words, hypernyms, gloss.strip())


def _chosen(synset: Synset, parents: Parents) -> tuple[str, ...]:
    """Hypernyms to follow: all, also if several are an error, otherwise the one to keep."""
    if parents in ("error", "all"):
        return tuple(dict.fromkeys(synset.hypernyms))
    return synset.hypernyms[:1] if parents == "first" else synset.hypernyms[-1:]


def _with_ancestors(synsets: dict[str, Synset], wanted: Sequence[str], parents: Parents) -> list[str]:
    """The wanted synsets and all their ancestors, in WordNet's order."""
    kept = set(wanted)
    waiting = list(wanted)
    while waiting:
        for above in _chosen(synsets[waiting.pop()], parents):
            if above not in synsets:
                raise InputError("hypernyms that the file has", f"{above!r}")
            if above not in kept:
                kept.add(above)
                waiting.append(above)
    return [synset for synset in synsets if synset in kept]
