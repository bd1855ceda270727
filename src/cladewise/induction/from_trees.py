"""Proposals that are part of a larger tree: WordNet by the meanings of the names, or a taxonomy by its names."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.cutting import cut, every_group
from cladewise.induction.proposal import ClassList, Group, Proposal, Question, distinct
from cladewise.induction.sense_choice import ChosenSense, choose_senses
from cladewise.induction.shaping import Shape, proposed, told_cut
from cladewise.induction.spanning import Spanned, spanned
from cladewise.induction.tree_lookup import Placed, look_up
from cladewise.induction.wordnet_words import LEAST_INFORMATION, WordNetNouns
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.sameness import folded

IntArray = NDArray[np.int64]


def from_wordnet(classes: ClassList, wordnet: WordNetNouns, place: str, shape: Shape, agree: bool) -> Proposal:
    """The part of WordNet that holds the senses of the names."""
    tree, chosen = wordnet.tree, choose_senses(wordnet, classes.names, agree=agree)
    found = np.array([-1 if choice.sense is None else choice.sense.node for choice in chosen], dtype=np.int64)
    part = spanned(tree, found, 1 - wordnet.information())
    placed = [_told_sense(wordnet, choice) for choice in chosen]
    alone = _apart(wordnet, found)
    questions = [
        question
        for name, choice, apart in zip(classes.names, chosen, alone.tolist(), strict=True)
        if (question := _asked_sense(wordnet, name, choice, apart)) is not None
    ]
    kinds = sum(choice.sense is not None and not choice.sense.whole for choice in chosen)
    missing = int((found < 0).sum())
    about = [
        f"Nouns of WordNet in {place}; a synset with several hypernyms is placed under the first.",
        "Senses were chosen so that the classes agree." if agree else "Every class has the most frequent sense.",
        f"{len(chosen) - kinds - missing} names were found whole, {kinds} by their head word, {missing} not at all.",
    ]

    def named(node: int) -> tuple[list[str], str]:
        return str(tree.columns["words"][node]).split(", "), wordnet.meaning(node)

    return _of_part(classes, part, named, placed, tuple(about), "WordNet", questions, shape)


def _apart(wordnet: WordNetNouns, found: IntArray) -> NDArray[np.bool_]:
    """Whether only a very general synset holds both a class and any other one."""
    tree, information = wordnet.tree, wordnet.information()
    held = np.zeros(tree.num_nodes + 1)
    np.add.at(held, found[found >= 0] + 1, 1)
    held = np.cumsum(held)
    count = held[tree.end] - held[:-1]
    at = found.copy()
    while True:
        rising = (at > 0) & (count[np.maximum(at, 0)] < 2)
        if not rising.any():
            break
        at[rising] = tree.parents[at[rising]]
    return (at >= 0) & (information[np.maximum(at, 0)] < LEAST_INFORMATION)


def _asked_sense(wordnet: WordNetNouns, name: str, choice: ChosenSense, apart: bool) -> Question | None:
    """A question about the choice of a sense, or ``None`` if there is nothing to ask."""
    if choice.sense is None:
        return Question(name, "no word of it is a noun of WordNet; it is at the top")
    others = tuple(f"{wordnet.meaning(sense.node)} ({share:.2f})" for sense, share in choice.others)
    read = f"read as {wordnet.meaning(choice.sense.node)}"
    if _certainty(choice) < 0.5:
        return Question(name, f"{read}, with certainty {_certainty(choice):.2f}", others)
    return Question(name, f"{read}, which stands apart from all other classes", others) if apart else None


def _certainty(choice: ChosenSense) -> float:
    """Probability of the sense; of a class that was found by a word inside its name, half of it."""
    return choice.certainty if choice.sense is None or choice.sense.is_head else choice.certainty / 2


def _told_sense(wordnet: WordNetNouns, choice: ChosenSense) -> Group:
    if choice.sense is None:
        return Group("", "not found in WordNet", 0.0)
    kind = "" if choice.sense.whole else f"a kind of {choice.sense.word}: "
    others = "; ".join(f"{wordnet.meaning(sense.node)} {share:.2f}" for sense, share in choice.others[:3])
    more = f"; otherwise {others}" if others else ""
    return Group("", f"{kind}{wordnet.meaning(choice.sense.node)}{more}", _certainty(choice))


def from_tree(classes: ClassList, tree: Taxonomy, place: str, shape: Shape) -> Proposal:
    """The part of a larger tree that holds the classes."""
    placed = look_up(tree, classes)
    found = np.array([one.node for one in placed], dtype=np.int64)
    part = spanned(tree, found, np.log(tree.num_leaves_under) / max(np.log(tree.num_leaves), 1e-9))
    counts = {how: sum(one.how == how for one in placed) for how in ("name", "spelling", "ambiguous", "missing")}
    about = [
        f"The part of {place} that holds the classes, without groups of one child.",
        f"Of {len(placed):,} classes, {counts['name']} are found by name, id or synonym, "
        f"{counts['spelling']} by spelling; "
        f"ambiguous: {counts['ambiguous']}; not found: {counts['missing']}.",
    ]
    questions = [
        Question(name, one.told, one.choices)
        for name, one in zip(classes.names, placed, strict=True)
        if one.how in ("ambiguous", "missing")
    ]

    def named(node: int) -> tuple[list[str], str]:
        return [str(tree.names[node])], tree.path_name(node)

    evidence = [Group("", one.told, one.certainty) for one in placed]
    classes = dataclasses.replace(classes, names=_short(tree, classes.names, placed))
    names = tree.level_names
    plain = names == tuple(f"level_{k}" for k in range(1, len(names) + 1))
    level = None if plain or shape.cuts else _levels_of(tree, part, placed)
    return _of_part(classes, part, named, evidence, tuple(about), place, questions, shape, level, names)


def _short(tree: Taxonomy, names: Sequence[str], placed: Sequence[Placed]) -> tuple[str, ...]:
    """The names, with the last step in place of a path that was given to say which node is meant."""
    ends = [
        str(tree.names[one.node]) if one.how == "name" and name.endswith(f"/{tree.names[one.node]}") else name
        for name, one in zip(names, placed, strict=True)
    ]
    count = Counter(ends)
    return tuple(end if count[end] == 1 else name for end, name in zip(ends, names, strict=True))


def _levels_of(tree: Taxonomy, part: Spanned, placed: Sequence[Placed]) -> IntArray:
    """Level of every node of a part as in the larger tree; classes below their own node, or not found, one finer."""
    merges, level = part.merges, np.zeros(part.origin.size, dtype=np.int64)
    for node in range(1, level.size):  # parents come first
        own, origin = int(merges.class_of[node]), int(part.origin[node])
        is_clear = own < 0 or placed[own].certainty > 0
        level[node] = tree.level[origin] if origin >= 0 and is_clear else tree.num_levels
        if level[node] <= level[merges.parents[node]]:
            level[node] = level[merges.parents[node]] + 1
    return level


def _of_part(
    classes: ClassList,
    part: Spanned,
    named: Callable[[int], tuple[list[str], str]],
    placed: Sequence[Group],
    about: tuple[str, ...],
    source: str,
    questions: Sequence[Question],
    shape: Shape,
    level: IntArray | None = None,
    level_names: Sequence[str] = (),
) -> Proposal:
    merges = part.merges
    names: Sequence[str] | None = None
    if shape.cuts:
        chosen = cut(merges, levels=shape.levels, groups=shape.groups)
        kept, level = chosen.nodes, chosen.level
        about = (*about, told_cut(chosen, shape))
    else:
        kept = every_group(merges)
        if level is not None:
            used, level = np.unique(level, return_inverse=True)
            known = ("", *level_names, *(f"level_{k}" for k in range(len(level_names) + 1, int(used[-1]) + 1)))
            names = [known[k] for k in used[1:].tolist()]
    taken = {folded(name) for name in classes.names}
    groups: list[Group] = []
    for node, members in zip(kept.tolist(), merges.members(kept), strict=True):
        words, evidence = named(int(part.origin[node]))
        name = next((word for word in words if folded(word) not in taken), words[0])
        sure = [placed[member].certainty for member in members.tolist()]
        known_sure = [value for value in sure if value is not None]
        mean = float(np.mean(known_sure)) if known_sure else None
        groups.append(Group(distinct(name, taken), evidence, mean))
    return proposed(merges, kept, level, groups, classes, placed, source, about, questions, names)
