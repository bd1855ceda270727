"""tieredImageNet-H: 608 classes of ImageNet in the tree and the splits of Making Better Mistakes."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import polars as pl

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.listing import files_by_class
from cladewise.datasets.published import better_mistakes
from cladewise.datasets.published.image_rows import dataset_of_rows
from cladewise.datasets.published.imagenet.class_folders import TRAIN, VAL, classes_in
from cladewise.datasets.published.imagenet.reading import CREDIT, WHERE, with_nodes
from cladewise.datasets.published.imagenet.synset_lists import first_words
from cladewise.datasets.published.imagenet.synset_trees import pairs_above, tree_of_pairs
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.datasets.published.pair_lines import read_pairs

_TREE = ("data/tiered_imagenet_isa.txt",)
_LISTS = (
    "dataset_splits/splits_tiered.zip",
    "dataset_splits/splits_tieredImageNet-H",
    "dataset_splits/splits_tiered",
)


def from_tiered_imagenet(path: str | PathLike[str], hierarchy: str | PathLike[str]) -> Dataset:
    """Read tieredImageNet-H with the published tree of 843 nodes and the published splits.

    Leaves are at depths 3 to 12. The published distances of classes are not the heights of this tree, since synsets
    with a single child were taken out of it: give their file to the method ``soft-labels`` as ``distance=``
    (:func:`cladewise.losses.distances.read_distances`).

    Args:
        path: ImageNet as for :func:`cladewise.datasets.from_imagenet`, whose images the split lists name, or a folder
            with the images sorted by these lists, ``train/<id>/``, ``val/<id>/`` and ``test/<id>/``.
        hierarchy: A clone of making-better-mistakes.

    Raises:
        InputError: A file or folder is missing or malformed, or a class is not in the tree.

    Example:
        >>> from cladewise import datasets
        >>> options = datasets.write_made_up("tiered-imagenet-h", getfixture("tmp_path"))
        >>> from_tiered_imagenet(options["path"], options["hierarchy"]).taxonomy
        Taxonomy(14 nodes, 8 leaves, 3 levels, root 'physical entity')

    References:
        Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393.
    """
    files = OfficialFiles.at(path, "ImageNet", WHERE, (TRAIN, VAL))
    tree = better_mistakes.find(hierarchy, _TREE)
    is_sorted = all(classes_in(files.root / split) for split in better_mistakes.SPLITS if (files.root / split).is_dir())
    if is_sorted and (files.root / "test").is_dir():
        rows = {
            split: files_by_class(files.root, folder := files.folder(split), classes_in(folder))
            for split in better_mistakes.SPLITS
        }
    else:
        rows = _listed(files, better_mistakes.find(hierarchy, _LISTS))
    classes = pl.concat([part["class"] for part in rows.values()]).unique().sort().to_list()
    taxonomy = tree_of_pairs(pairs_above(read_pairs(tree), classes, str(tree)), first_words())
    return dataset_of_rows(
        with_nodes(rows, taxonomy, str(tree)),
        taxonomy,
        name="tiered-imagenet-h",
        root=files.root,
        source={
            "kind": "tiered-imagenet-h",
            "path": str(files.root),
            "hierarchy": str(Path(hierarchy).expanduser().absolute()),
        },
        credit=CREDIT,
    )


def _listed(files: OfficialFiles, lists: Path) -> dict[str, pl.DataFrame]:
    """Columns ``class`` and ``path`` of each split, of images that lie among ImageNet's.

    Training images are called after their class, and validation images lie in folders of classes or all in one.

    Raises:
        InputError: A folder of images is missing.
    """
    train, val = files.folder(*TRAIN), files.folder(*VAL)
    in_folders = bool(classes_in(val))
    listed = better_mistakes.read_splits(lists)
    of_training = pl.col("file").str.starts_with("n")
    prefixes = {place: place.relative_to(files.root).as_posix() for place in (train, val)}
    inside = (
        pl.format(f"{prefixes[val]}/{{}}/{{}}", "class", "file")
        if in_folders
        else pl.format(f"{prefixes[val]}/{{}}", "file")
    )
    listed = listed.with_columns(
        path=pl.when(of_training).then(pl.format(f"{prefixes[train]}/{{}}/{{}}", "class", "file")).otherwise(inside)
    )
    return {
        str(split): part.select("class", "path") for (split,), part in listed.group_by("split", maintain_order=True)
    }
