"""Proposals by clustering: distances of texts, of mean features, or of what a run confuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.cutting import Cut, cut
from cladewise.induction.group_names import CommonWords
from cladewise.induction.merges import Merges, check_size, clustered
from cladewise.induction.proposal import ClassList, Group, Proposal, Question, distinct
from cladewise.induction.sense_choice import choose_senses
from cladewise.induction.shaping import Shape, proposed, told_cut
from cladewise.induction.similarity import confusion_distances, vector_distances
from cladewise.induction.stability import Resample, repeats_for, stability
from cladewise.induction.wordnet_words import LEAST_INFORMATION, WordNetNouns
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.sameness import folded

if TYPE_CHECKING:
    from cladewise.induction.run_evidence import RunEvidence

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]


def from_texts(classes: ClassList, encoder: str, template: str, shape: Shape) -> Proposal:
    """Cluster classes by embeddings of their names."""
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
    return _clustered(classes, vector_distances(vectors), None, resample, about, "texts", (), shape)


def from_features(classes: ClassList, seen: RunEvidence, shape: Shape) -> Proposal:
    """Cluster classes by the mean features of their images."""
    means, has, resample = seen.means(classes.given)
    about = (
        f"Mean features of {seen.num_images:,} images of {seen.split}, by {seen.encoder}; cosine distances after the "
        "mean is subtracted.",
        "Certainty is the stability of a group when the images of each class are resampled.",
    )
    return _clustered(classes, vector_distances(means[has]), has, resample, about, "features", (), shape)


def from_confusions(classes: ClassList, seen: RunEvidence, shape: Shape) -> Proposal:
    """Cluster classes by what a run takes for what."""
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
    return _clustered(classes, distances, None, resample, about, "confusions", questions, shape, told)


def _clustered(
    classes: ClassList,
    distances: FloatArray,
    has: NDArray[np.bool_] | None,
    resample: Resample | None,
    about: tuple[str, ...],
    source: str,
    questions: Sequence[Question],
    shape: Shape,
    told: Callable[[IntArray], str] = lambda _: "",
) -> Proposal:
    """Cluster the classes, cut the result and name the groups; classes without data are put at the top."""
    size = len(classes.names)
    present = np.arange(size) if has is None else np.flatnonzero(has)
    merges = clustered(distances, present.size, shape.linkage)
    chosen = cut(merges, levels=shape.levels, groups=shape.groups)
    members = merges.members(chosen.nodes)
    repeats = repeats_for(present.size)
    stable = (
        np.full(len(members), np.nan)
        if resample is None
        else stability(members, resample, present.size, linkage=shape.linkage, repeats=repeats, seed=shape.seed)
    )
    members = [present[row] for row in members]
    groups = _named_groups(classes, merges, chosen, members, stable, told, shape)
    level = chosen.level
    merges = dataclasses.replace(merges, class_of=np.where(merges.class_of >= 0, present[merges.class_of], -1))
    missing = np.setdiff1d(np.arange(size), present)
    if missing.size:
        questions = [
            *questions,
            *(Question(classes.names[k], "has no image; it is at the top") for k in missing.tolist()),
        ]
        merges, level = _with_classes_at_the_top(merges, level, missing)
    lacking = set(missing.tolist())
    placed = [Group("", "no image" if k in lacking else "", None) for k in range(size)]
    about = (*about, f"Groups are merged by {shape.linkage} linkage.", told_cut(chosen, shape))
    return proposed(merges, chosen.nodes, level, groups, classes, placed, source, about, questions, None)


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


def _named_groups(
    classes: ClassList,
    merges: Merges,
    chosen: Cut,
    members: Sequence[IntArray],
    stable: FloatArray,
    told: Callable[[IntArray], str],
    shape: Shape,
) -> list[Group]:
    """Names from common words, else the lowest common hypernym, else the first members."""
    words = CommonWords(classes.names)
    hypernyms = _Hypernyms(shape.wordnet, classes.names) if shape.wordnet is not None else None
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
        if self.information[node] < LEAST_INFORMATION:
            return None
        why = f"lowest common hypernym of {known.size} of {members.size} members: {self.wordnet.meaning(node)}"
        return str(self.wordnet.tree.names[node]), why
