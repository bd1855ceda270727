"""Proposes a label tree for classes that have none: from their names, a run, or a larger tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cladewise.errors import InputError
from cladewise.induction.class_lists import class_list, is_run, listed_classes
from cladewise.induction.from_distances import from_confusions, from_features, from_texts
from cladewise.induction.from_trees import from_tree, from_wordnet
from cladewise.induction.merges import Linkage, check_size
from cladewise.induction.proposal import Proposal
from cladewise.induction.shaping import Shape
from cladewise.induction.wordnet_words import USUAL_PLACE, WordNetNouns
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.formats.reading import read_with

if TYPE_CHECKING:
    from cladewise.datasets import Dataset
    from cladewise.engine import Run

SOURCES = ("wordnet", "texts", "features", "confusions")
"""Sources of a proposal besides tree files."""


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
    shape = Shape(levels, groups, linkage, seed, None if wordnet is None else Path(wordnet))
    if isinstance(source, Taxonomy):
        return from_tree(listed, source, "a larger tree", shape)
    if kind == "wordnet":
        folder = Path(wordnet) if wordnet is not None else USUAL_PLACE
        return from_wordnet(listed, WordNetNouns(folder), str(folder), shape, agree)
    if kind == "texts":
        return from_texts(listed, encoder, template, shape)
    if kind in ("features", "confusions"):
        if run is None:
            raise InputError(f"a run, for the source {kind}", "classes without one", advice="Give the folder of a run.")
        from cladewise.induction.run_evidence import confusions_of, features_of

        check_size(run.taxonomy.num_leaves)
        if kind == "features":
            return from_features(listed, features_of(run, split or "train", data, progress=progress), shape)
        return from_confusions(listed, confusions_of(run, split or "val", data, progress=progress), shape)
    path = Path(source)
    if not path.exists():
        got = f"{str(source)!r}, which is none of them and no file"
        raise InputError(f"a source: {', '.join(SOURCES)}, or a tree file", got)
    return from_tree(listed, read_with(path, reading), str(path), shape)


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
