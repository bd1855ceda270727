"""Candidate classes of BREEDS from WordNet, for use without the published hierarchy."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from os import PathLike
from pathlib import Path

from cladewise.datasets.published.breeds.task_sampling import ClassCandidates
from cladewise.datasets.published.imagenet.synset_lists import WORDNET_ADVICE, data_noun, imagenet_classes
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.wordnet import Synset, read_synsets

_TABLE = Path(__file__).with_name("synset_rows.toml")


def candidates_of_wordnet(name: str, path: str | PathLike[str]) -> ClassCandidates:
    """Classes of ImageNet under each coarse class of a task, by a table of synsets.

    The published hierarchy was derived from WordNet by hand: nodes were merged, moved and removed until depth
    reflected specificity. No rule reproduces that, so a table lists the synsets of each coarse class as ``synset
    synset -synset``. A class of ImageNet belongs to the coarse class with the nearest synset above it, by any of its
    hypernyms; of equally near ones, to the first. Classes under a synset with a minus are excluded. The table gives
    each coarse class as many classes as the published hierarchy, in the same order, so the sampled classes should be
    the published ones.

    Args:
        name: The task.
        path: WordNet's folder, or its ``data.noun``.

    Raises:
        InputError: There is no such file, or it is not from WordNet 3.0.
    """
    file = data_noun(path)
    synsets, rows, ids = read_synsets(file), _table()[name], imagenet_classes()
    wanted = {synset.removeprefix("-") for row in rows.values() for synset in row.split()} | set(ids)
    unknown = sorted(wanted - synsets.keys())
    if unknown:
        raise InputError(
            "the synsets of ImageNet in WordNet", f"none of {some(unknown)}", at=str(file), advice=WORDNET_ADVICE
        )
    return ClassCandidates(classes_by_row(rows, synsets, ids), {one: synsets[one].words[0] for one in ids})


def classes_by_row(rows: Mapping[str, str], synsets: Mapping[str, Synset], ids: Iterable[str]) -> dict[str, list[str]]:
    """The ids that belong to each row of a table; see :func:`candidates_of_wordnet`.

    Example:
        >>> above = {"n1": (), "n2": ("n1",), "n3": ("n1",), "n4": ("n2", "n3"), "n5": ("n4", "n3")}
        >>> synsets = {one: Synset(one, (one,), hypernyms, "") for one, hypernyms in above.items()}
        >>> classes_by_row({"all but 2": "n1 -n2", "near": "n3"}, synsets, ["n2", "n3", "n4", "n5"])
        {'all but 2': [], 'near': ['n3', 'n4', 'n5']}
    """
    words = {name: row.split() for name, row in rows.items()}
    taken = {name: {word for word in row if word[0] != "-"} for name, row in words.items()}
    left_out = {name: {word[1:] for word in row if word[0] == "-"} for name, row in words.items()}
    found: dict[str, list[str]] = {name: [] for name in rows}
    for one in ids:
        steps = _steps(one, synsets)
        near = {
            name: min(steps[synset] for synset in those)
            for name in rows
            if (those := steps.keys() & taken[name]) and steps.keys().isdisjoint(left_out[name])
        }
        if near:
            found[min(near, key=near.__getitem__)].append(one)  # the first of equally near ones
    return found


def _steps(one: str, synsets: Mapping[str, Synset]) -> dict[str, int]:
    """Fewest steps from a synset to each of its ancestors."""
    steps, level, number = {one: 0}, [one], 0
    while level:
        number += 1
        above = dict.fromkeys(synset for below in level for synset in synsets[below].hypernyms)
        level = [synset for synset in above if synset not in steps]
        steps.update(dict.fromkeys(level, number))
    return steps


@cache
def _table() -> dict[str, dict[str, str]]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))
