"""BREEDS tasks from a copy of ImageNet."""

from __future__ import annotations

import functools
from os import PathLike
from pathlib import Path

import polars as pl

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.listing import files_by_class, files_in
from cladewise.datasets.published.breeds.hierarchy import FILES, FOLDER, WHERE, Hierarchy
from cladewise.datasets.published.breeds.made_up import write_made_up_breeds
from cladewise.datasets.published.breeds.synset_rows import candidates_of_wordnet
from cladewise.datasets.published.breeds.task_sampling import TASKS, ClassCandidates
from cladewise.datasets.published.image_rows import dataset_of_rows
from cladewise.datasets.published.imagenet.class_folders import TRAIN, VAL
from cladewise.datasets.published.imagenet.reading import WHERE as WHERE_IMAGENET
from cladewise.datasets.published.imagenet.validation import validation_classes
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_CREDIT = "ImageNet, for non-commercial research and education"
_CLASSES = {
    "hierarchy": "classes drawn from the published hierarchy of BREEDS",
    "wordnet": "classes of BREEDS drawn from WordNet by a table of cladewise's, not from the published hierarchy",
}


def from_breeds(
    name: str,
    path: str | PathLike[str],
    hierarchy: str | PathLike[str] | None = None,
    wordnet: str | PathLike[str] | None = None,
) -> Dataset:
    """Read a BREEDS task from ImageNet; its validation images are the test split.

    | task | coarse classes | classes of ImageNet |
    |---|---|---|
    | `living-17` | 17 | 68 |
    | `nonliving-26` | 26 | 104 |
    | `entity-13` | 13 | 260 |
    | `entity-30` | 30 | 240 |

    The classes are sampled from the published hierarchy, or from WordNet with a table of this library
    (:func:`cladewise.datasets.published.breeds.candidates_of_wordnet`). ``source`` and ``credit`` record which.

    Args:
        name: The task.
        path: ImageNet as for ``imagenet-1k``: a folder with ``train/<id>/`` and ``val/<id>/`` of its classes
            (``n01440764``), or Kaggle's; classes outside the task may be missing.
        hierarchy: A folder with the published files of the hierarchy (``class_hierarchy.txt``,
            ``dataset_class_info.json``, ``node_names.txt``); by default the folder ``BREEDS`` in ``path``, if it has
            them.
        wordnet: Alternatively, the folder of WordNet 3.0 or its ``data.noun``.

    Raises:
        InputError: There is no such task, no hierarchy or two are given, a file or the folder of a class is missing, or
            the hierarchy does not fit the task.

    References:
        Santurkar, Tsipras, Madry, BREEDS: Benchmarks for subpopulation shift, ICLR 2021, arXiv:2008.04859. Both halves
        of each coarse class (source and target) are taken together, as in work on learning from coarse labels.
    """
    if name not in TASKS:
        raise InputError(f"a task: {', '.join(TASKS)}", repr(name))
    inside = Path(path).expanduser() / FOLDER
    if hierarchy is None and wordnet is None and all((inside / file).is_file() for file in FILES):
        hierarchy = inside
    known, classes_from = _candidates(name, hierarchy, wordnet)
    drawn = known.draw(TASKS[name], at=next(iter(classes_from.values())), advice=WHERE)
    files, path_of = OfficialFiles.at(path, "ImageNet", WHERE_IMAGENET, (TRAIN, VAL)), _paths(known, drawn)
    taxonomy = Taxonomy.from_paths(path_of.values(), level_names=("coarse", "fine"))
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    train, val = files.folder(*TRAIN), files.folder(*VAL)
    is_sorted = not files_in(val)
    for folder in (train, val) if is_sorted else (train,):
        lost = next((one for one in path_of if not (folder / one).is_dir()), None)
        if lost is not None:
            raise InputError(f"a folder of {known.names[lost]} images", "none", at=str(folder / lost))
    tested = files_by_class(files.root, val, path_of) if is_sorted else validation_classes(files, val)
    parts = [
        part.filter(pl.col("class").is_in(list(path_of))).select("class", "path", pl.lit(split).alias("split"))
        for split, part in (("train", files_by_class(files.root, train, path_of)), ("test", tested))
    ]
    nodes = {one: node_by_path[names] for one, names in path_of.items()}
    rows = pl.concat(parts).with_columns(pl.col("class").replace_strict(nodes, return_dtype=pl.Int64).alias("node"))
    return dataset_of_rows(
        rows,
        taxonomy,
        name=name,
        root=files.root,
        source={"kind": name, "path": str(files.root), **classes_from},
        credit=f"{_CREDIT}; {_CLASSES[next(iter(classes_from))]}",
    )


def _candidates(
    name: str, hierarchy: str | PathLike[str] | None, wordnet: str | PathLike[str] | None
) -> tuple[ClassCandidates, dict[str, str]]:
    """The candidates for sampling, and the option that selected them, for a dataset's ``source``."""
    given = {"hierarchy": hierarchy, "wordnet": wordnet}
    places = {option: str(Path(path).expanduser().absolute()) for option, path in given.items() if path is not None}
    match places:
        case {"hierarchy": published} if len(places) == 1:
            return Hierarchy.read(published).candidates(TASKS[name]), places
        case {"wordnet": nouns} if len(places) == 1:
            return candidates_of_wordnet(name, nouns), places
        case _:
            raise InputError(
                f"either hierarchy= or wordnet= for {name}",
                "both" if places else "none",
                advice=(
                    f"hierarchy= is the folder of the published hierarchy, by default {FOLDER} in that of the images; "
                    "wordnet= that of WordNet 3.0."
                ),
            )


def _paths(known: ClassCandidates, drawn: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    """Coarse and fine name of each class; duplicates get their id appended."""
    short = {one: known.names[one].split(",")[0].strip() for classes in drawn.values() for one in classes}
    coarse = {node: known.names.get(node, node).split(",")[0].strip() for node in drawn}
    repeated = {name for name in coarse.values() if list(coarse.values()).count(name) > 1}
    found: dict[str, tuple[str, str]] = {}
    for node, classes in drawn.items():
        above = f"{coarse[node]} {node}" if coarse[node] in repeated else coarse[node]
        names = [short[one] for one in classes]
        for one in classes:
            found[one] = (above, f"{short[one]} {one}" if names.count(short[one]) > 1 else short[one])
    return found


def _entry(name: str) -> PublishedDataset:
    task = TASKS[name]
    fine = task.num_coarse * task.subclasses
    return PublishedDataset(
        name=name,
        description=(
            f"BREEDS: {fine} classes of ImageNet in {task.num_coarse} coarse ones; pass path=, and hierarchy= or "
            "wordnet="
        ),
        read=functools.partial(from_breeds, name),
        facts=Facts(
            levels={"coarse": task.num_coarse, "fine": fine},
            images={"test": 50 * fine},
            licence="ImageNet: for non-commercial research and education",
            citation="Santurkar, Tsipras and Mądry, BREEDS: Benchmarks for subpopulation shift, ICLR 2021",
            where=(
                "The images are ImageNet's (ILSVRC 2012) from https://image-net.org; the hierarchy is in the "
                "repository MadryLab/BREEDS-Benchmarks, folder imagenet_class_hierarchy/modified."
            ),
            files={
                "train/": "a folder per class, called after its WordNet id, with ImageNet's training images",
                "val/": "the same with ImageNet's validation images, which are the test split",
                f"{FOLDER}/": "the published hierarchy, unless hierarchy= or wordnet= is given",
            },
            notes=("Folders of ImageNet's other classes are not needed.",),
        ),
        options=("path", "hierarchy", "wordnet"),
        write_made_up=functools.partial(write_made_up_breeds, name),
    )


BREEDS = tuple(_entry(name) for name in TASKS)
