"""Proposes a label tree for classes that have none: from their names, a run, or a larger tree."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.induction.class_lists import class_list, is_run, listed_classes
from cladewise.induction.cutting import Cut, cut, every_group
from cladewise.induction.group_names import CommonWords
from cladewise.induction.merges import Linkage, Merges, check_size, clustered
from cladewise.induction.proposal import ClassList, Group, Proposal, Question, assembled, distinct
from cladewise.induction.sense_choice import ChosenSense, choose_senses
from cladewise.induction.similarity import confusion_distances, vector_distances
from cladewise.induction.spanning import Spanned, spanned
from cladewise.induction.stability import Resample, repeats_for, stability
from cladewise.induction.tree_lookup import Placed, look_up
from cladewise.induction.wordnet_words import USUAL_PLACE, WordNetNouns
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.formats.reading import read_with
from cladewise.taxonomy.names.sameness import folded

if TYPE_CHECKING:
    from cladewise.datasets import Dataset
    from cladewise.engine import Run
    from cladewise.induction.run_evidence import RunEvidence

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]

SOURCES = ("wordnet", "texts", "features", "confusions")
"""Sources of a proposal besides tree files."""
LEAST_HYPERNYM = 0.25
"""Information of a hypernym that may name a group, from 0 at the root to 1 at a synset without hyponyms."""


def induce(
    classes: Run | Taxonomy | str | PathLike[str] | Sequence[str],
    source: str | PathLike[str] | Taxonomy,
    *,
    levels: int | None = None,
    groups: Sequence[int] | None = None,
    linkage: Linkage = "average",
    split: str | None = None,
    wordnet: str | PathLike[str] | None = None,
    agree: bool = True,
    encoder: str = "minilm",
    template: str = "{name}",
    reading: ReadOptions = PLAIN,
    data: Dataset | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Proposal:
    """Propose a label tree in which every class is one leaf.

    The result does not depend on the order of the classes. It is a proposal: a person should look at it, with
    :func:`write_proposal_page`, before anything is trained on it.

    Args:
        classes: A run or its folder (the leaves of its tree); a taxonomy, or a file or folder of one (its leaves); a
            ``.txt`` file with one class per line; or names.
        source: ``"wordnet"``: meanings of the names; ``"texts"``: embeddings of the names; ``"features"``: mean
            features of the run's images; ``"confusions"``: what the run confuses; otherwise a larger tree, or its file,
            from which the part with the classes is taken.
        levels: Number of levels, that of the classes included. By default about five children per node if classes are
            clustered, and every group of WordNet or of the larger tree with several children.
        groups: Numbers of groups instead, coarse to fine.
        linkage: How distances of groups follow from those of classes, ``"average"`` or ``"complete"``.
        split: Split whose images are used; for features ``train`` and for confusions ``val`` by default.
        wordnet: WordNet's folder; by default ``/usr/share/wordnet`` for ``source="wordnet"``. For other sources, groups
            whose members share no words are named by their lowest common hypernym if it is given.
        agree: With WordNet, whether senses are chosen on which the classes agree, instead of the most frequent ones.
        encoder: Text encoder for ``"texts"``; see :func:`cladewise.backbones.text.load`.
        template: Template of the texts, with ``{name}``.
        reading: Options for reading the larger tree.
        data: Other images than the run's, with the same taxonomy.
        seed: Seed of the resamples that measure how stable groups are.
        progress: Show progress bars.

    Raises:
        InputError: The source does not exist, needs a run, or has too many classes; or no level or number of groups
            is possible.
        MissingExtraError: A package that the source needs is not installed.

    Example:
        >>> proposal = induce(["apple juice", "orange juice", "milk", "whole milk"], "texts", encoder="characters")
        >>> proposal.taxonomy.num_leaves, proposal.taxonomy.level_names
        (4, ('level_1', 'level_2'))
    """
    kind = str(source) if not isinstance(source, Taxonomy) and str(source) in SOURCES else "tree"
    given = {
        "linkage": linkage if linkage != "average" else None,
        "split": split,
        "data": data,
        "wordnet": wordnet,
        "agree": None if agree else agree,
        "encoder": encoder if encoder != "minilm" else None,
        "template": template if template != "{name}" else None,
        "reading": reading if reading != PLAIN else None,
    }
    _check_options(kind, given)
    run = _run_of(classes)
    listed = class_list(run.taxonomy if run is not None else listed_classes(_plain(classes)))
    options = _Options(levels, groups, linkage, seed, None if wordnet is None else Path(wordnet))
    if isinstance(source, Taxonomy):
        return _from_tree(listed, source, "a larger tree", options)
    if kind == "wordnet":
        folder = Path(wordnet) if wordnet is not None else USUAL_PLACE
        return _from_wordnet(listed, WordNetNouns(folder), str(folder), options, agree)
    if kind == "texts":
        return _from_texts(listed, encoder, template, options)
    if kind in ("features", "confusions"):
        if run is None:
            raise InputError(f"a run, for the source {kind}", "classes without one", advice="Give the folder of a run.")
        from cladewise.induction.run_evidence import confusions_of, features_of

        check_size(run.taxonomy.num_leaves)
        if kind == "features":
            return _from_features(listed, features_of(run, split or "train", data, progress=progress), options)
        return _from_confusions(listed, confusions_of(run, split or "val", data, progress=progress), options)
    path = Path(source)
    if not path.exists():
        got = f"{str(source)!r}, which is none of them and no file"
        raise InputError(f"a source: {', '.join(SOURCES)}, or a tree file", got)
    return _from_tree(listed, read_with(path, reading), str(path), options)


TAKEN_BY = {
    "linkage": ("texts", "features", "confusions"),
    "split": ("features", "confusions"),
    "data": ("features", "confusions"),
    "wordnet": SOURCES,
    "agree": ("wordnet",),
    "encoder": ("texts",),
    "template": ("texts",),
    "reading": ("tree",),
}
"""Sources for which each option has a meaning."""


def _check_options(kind: str, given: Mapping[str, object]) -> None:
    """Refuse options that the source does not use, instead of ignoring them.

    Raises:
        InputError: There is one.
    """
    for option, value in given.items():
        if value is not None and kind not in TAKEN_BY[option]:
            source = "a tree file" if kind == "tree" else kind
            users = ", ".join(TAKEN_BY[option]).replace("tree", "a tree file")
            told = "options for reading" if option == "reading" else f"{option}={value!s:.40}"
            raise InputError(f"only options that the source {source} uses", told, advice=f"It is for {users}.")


def _plain(classes: Any) -> Taxonomy | str | Path | Sequence[str]:
    return Path(classes) if isinstance(classes, PathLike) else classes


def _run_of(classes: Any) -> Run | None:
    """The run that is given, itself or as a folder."""
    if isinstance(classes, str | PathLike) and not isinstance(classes, Taxonomy):
        path = Path(classes)
        if not is_run(path):
            return None
        from cladewise.engine import Run

        return Run.open(path)
    return None if isinstance(classes, Taxonomy | list | tuple) or not hasattr(classes, "taxonomy") else classes


@dataclasses.dataclass(frozen=True)
class _Options:
    levels: int | None
    groups: Sequence[int] | None
    linkage: Linkage
    seed: int
    wordnet: Path | None

    @property
    def cuts(self) -> bool:
        """Whether levels or groups are asked for."""
        return self.levels is not None or self.groups is not None


# ---------------------------------------------------------------- from a larger tree


def _from_wordnet(classes: ClassList, wordnet: WordNetNouns, place: str, options: _Options, agree: bool) -> Proposal:
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
        return str(tree.columns["words"][node]).split(", "), _meaning(wordnet, node)

    return _of_part(classes, part, named, placed, tuple(about), "WordNet", questions, options)


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
    return (at >= 0) & (information[np.maximum(at, 0)] < LEAST_HYPERNYM)


def _asked_sense(wordnet: WordNetNouns, name: str, choice: ChosenSense, apart: bool) -> Question | None:
    """A question about the choice of a sense, or ``None`` if there is nothing to ask."""
    if choice.sense is None:
        return Question(name, "no word of it is a noun of WordNet; it is at the top")
    others = tuple(f"{_meaning(wordnet, sense.node)} ({share:.2f})" for sense, share in choice.others)
    read = f"read as {_meaning(wordnet, choice.sense.node)}"
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
    others = "; ".join(f"{_meaning(wordnet, sense.node)} {share:.2f}" for sense, share in choice.others[:3])
    more = f"; otherwise {others}" if others else ""
    return Group("", f"{kind}{_meaning(wordnet, choice.sense.node)}{more}", _certainty(choice))


def _meaning(wordnet: WordNetNouns, node: int) -> str:
    gloss = re.sub(r"\s*\([^)]*\)\s*", " ", str(wordnet.tree.columns["description"][node])).split(";")[0].strip()
    return f"{wordnet.tree.names[node]} [{wordnet.ids[node]}: {gloss}]"


def _from_tree(classes: ClassList, tree: Taxonomy, place: str, options: _Options) -> Proposal:
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
    level = None if plain or options.cuts else _levels_of(tree, part, placed)
    return _of_part(classes, part, named, evidence, tuple(about), place, questions, options, level, names)


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
    options: _Options,
    level: IntArray | None = None,
    level_names: Sequence[str] = (),
) -> Proposal:
    merges = part.merges
    names: Sequence[str] | None = None
    if options.cuts:
        chosen = cut(merges, levels=options.levels, groups=options.groups)
        kept, level = chosen.nodes, chosen.level
        about = (*about, _told_cut(chosen, options))
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
    return _proposal(merges, kept, level, groups, classes, placed, source, about, questions, names)


# ---------------------------------------------------------------- by clustering


def _from_texts(classes: ClassList, encoder: str, template: str, options: _Options) -> Proposal:
    from cladewise.backbones import text
    from cladewise.backbones.text import embedded_texts
    from cladewise.taxonomy.class_texts import class_texts

    check_size(len(classes.names))
    texts = class_texts(Taxonomy.from_paths([(name,) for name in classes.names]), template)
    features = embedded_texts(text.load(encoder), texts.texts).cpu().numpy().astype(np.float64)
    units = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    vectors = np.zeros((len(classes.names), units.shape[1]))
    np.add.at(vectors, texts.node - 1, units)

    def resample(random: np.random.Generator) -> FloatArray:
        return vector_distances(vectors[:, random.integers(vectors.shape[1], size=vectors.shape[1])])

    about = (
        f"Names as texts '{template}', encoded by {encoder}; cosine distances after the mean is subtracted.",
        "Certainty is the stability of a group when the features of the encoder are resampled.",
    )
    return _clustered(classes, vector_distances(vectors), None, resample, about, "texts", (), options)


def _from_features(classes: ClassList, seen: RunEvidence, options: _Options) -> Proposal:
    means, has, resample = seen.means(classes.given)
    about = (
        f"Mean features of {seen.num_images:,} images of {seen.split}, by {seen.encoder}; cosine distances after the "
        "mean is subtracted.",
        "Certainty is the stability of a group when the images of each class are resampled.",
    )
    return _clustered(classes, vector_distances(means[has]), has, resample, about, "features", (), options)


def _from_confusions(classes: ClassList, seen: RunEvidence, options: _Options) -> Proposal:
    matrix, has, resample = seen.means(classes.given)
    counts = seen.counts(classes.given)
    about = (
        f"Mean probabilities of {seen.num_images:,} images of {seen.split} by {seen.encoder}; the distance of two "
        "classes is minus the logarithm of their mean confusion.",
        "Certainty is the stability of a group when the images of each class are resampled.",
        "Mistakes look less severe in this tree by construction on the images it was made from: evaluate it on others.",
    )

    def told(members: IntArray) -> str:
        rows = matrix[members] * (counts[members] > 0)[:, None]
        own = rows[np.arange(members.size), members].sum()
        elsewhere = rows.sum() - own
        inside = rows[:, members].sum() - own
        return f"{inside / elsewhere:.0%} of the confusion of its members stays inside" if elsewhere > 0 else ""

    questions = [
        Question(name, "has no image in the split; it is placed by what is taken for it")
        for name, there in zip(classes.names, has.tolist(), strict=True)
        if not there
    ]
    distances = confusion_distances(matrix, counts)
    return _clustered(classes, distances, None, resample, about, "confusions", questions, options, told)


def _clustered(
    classes: ClassList,
    distances: FloatArray,
    has: NDArray[np.bool_] | None,
    resample: Resample | None,
    about: tuple[str, ...],
    source: str,
    questions: Sequence[Question],
    options: _Options,
    told: Callable[[IntArray], str] = lambda _: "",
) -> Proposal:
    """Cluster the classes, cut the result and name the groups; classes without data are put at the top."""
    size = len(classes.names)
    present = np.arange(size) if has is None else np.flatnonzero(has)
    merges = clustered(distances, present.size, options.linkage)
    chosen = cut(merges, levels=options.levels, groups=options.groups)
    members = merges.members(chosen.nodes)
    repeats = repeats_for(present.size)
    stable = (
        np.full(len(members), np.nan)
        if resample is None
        else stability(members, resample, present.size, linkage=options.linkage, repeats=repeats, seed=options.seed)
    )
    members = [present[row] for row in members]
    groups = _named_groups(classes, merges, chosen, members, stable, told, options)
    level = chosen.level
    merges = dataclasses.replace(merges, class_of=np.where(merges.class_of >= 0, present[merges.class_of], -1))
    missing = np.setdiff1d(np.arange(size), present)
    if missing.size:
        questions = [
            *questions,
            *(Question(classes.names[k], "has no image; it is at the top") for k in missing.tolist()),
        ]
        merges, level = _with_classes_at_the_top(merges, level, missing)
    placed = [Group("", "" if k not in set(missing.tolist()) else "no image", None) for k in range(size)]
    about = (*about, f"Groups are merged by {options.linkage} linkage.", _told_cut(chosen, options))
    return _proposal(merges, chosen.nodes, level, groups, classes, placed, source, about, questions, None)


def _with_classes_at_the_top(merges: Merges, level: IntArray, classes: IntArray) -> tuple[Merges, IntArray]:
    more = classes.size
    return (
        Merges(
            np.append(merges.parents, np.zeros(more, dtype=np.int64)),
            np.append(merges.class_of, classes),
            np.append(merges.height, np.zeros(more)),
        ),
        np.append(level, np.ones(more, dtype=np.int64)),
    )


def _told_cut(chosen: Cut, options: _Options) -> str:
    if not chosen.num_groups:
        one_level = options.levels == 1
        return "No groups, since one level was asked for." if one_level else "There are too few classes to group."
    counts = ", then ".join(f"{count}" for count in chosen.num_groups)
    heights = ", ".join(f"{height:.3g}" for height in chosen.heights)
    how = (
        f"the numbers asked for were {', '.join(map(str, options.groups))}"
        if options.groups is not None
        else "the largest relative gap between merges near a geometric progression"
    )
    return f"Cut into {counts} groups, classes that are alone included, at the heights {heights}: {how}."


def _named_groups(
    classes: ClassList,
    merges: Merges,
    chosen: Cut,
    members: Sequence[IntArray],
    stable: FloatArray,
    told: Callable[[IntArray], str],
    options: _Options,
) -> list[Group]:
    """Names from common words, else the lowest common hypernym, else the first members."""
    words = CommonWords(classes.names)
    hypernyms = _Hypernyms(options.wordnet, classes.names) if options.wordnet is not None else None
    taken = {folded(name) for name in classes.names}
    above: dict[int, tuple[str, ...]] = {}
    ends, groups = merges.end, list[Group]()
    for number, (node, own) in enumerate(zip(chosen.nodes.tolist(), members, strict=True), start=1):
        outer = [name for other, names in above.items() if other < node < ends[other] for name in names]
        found = words.name(own, outer) or (hypernyms.name(own) if hypernyms is not None else None)
        name, why = found or (f"group_{number} ({words.listed(own)})", "")
        name = f"{name} ({words.listed(own)})" if found and folded(name) in taken else name
        above[node] = (name,) if found else ()
        merged = f"merged at {merges.height[node]:.3g}, then at {merges.height[merges.parents[node]]:.3g}"
        evidence = "; ".join(text for text in (why, told(own), merged) if text)
        sure = None if np.isnan(stable[number - 1]) else float(stable[number - 1])
        groups.append(Group(distinct(name, taken), evidence, sure))
    return groups


class _Hypernyms:
    """Lowest common hypernyms of classes, by the senses that agree."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.wordnet = WordNetNouns(folder)
        chosen = choose_senses(self.wordnet, names)
        self.nodes = np.array([-1 if choice.sense is None else choice.sense.node for choice in chosen])
        self.information = self.wordnet.information()

    def name(self, members: IntArray) -> tuple[str, str] | None:
        known = self.nodes[members][self.nodes[members] >= 0]
        if 2 * known.size <= members.size:
            return None
        node = int(self.wordnet.tree.lca(known.min(), known.max()))
        if self.information[node] < LEAST_HYPERNYM:
            return None
        why = f"lowest common hypernym of {known.size} of {members.size} members: {_meaning(self.wordnet, node)}"
        return str(self.wordnet.tree.names[node]), why


def _proposal(
    merges: Merges,
    kept: IntArray,
    level: IntArray | None,
    groups: Sequence[Group],
    classes: ClassList,
    placed: Sequence[Group],
    source: str,
    about: tuple[str, ...],
    questions: Sequence[Question],
    level_names: Sequence[str] | None,
) -> Proposal:
    taxonomy, nodes = assembled(merges, kept, level, groups, classes, placed, level_names=level_names)
    given = np.empty_like(nodes)
    given[classes.given] = nodes
    names = taxonomy.names[given].tolist()
    return Proposal(taxonomy, tuple(map(str, names)), given, source, about, tuple(questions))
