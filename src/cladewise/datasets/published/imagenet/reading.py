"""ImageNet's thousand classes with a tree from WordNet."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.listing import files_by_class
from cladewise.datasets.published import better_mistakes
from cladewise.datasets.published.image_rows import dataset_of_rows
from cladewise.datasets.published.imagenet.class_folders import TRAIN, VAL, classes_in
from cladewise.datasets.published.imagenet.synset_lists import data_noun, first_words
from cladewise.datasets.published.imagenet.synset_trees import (
    hypernym_graph,
    pairs_above,
    tree_of_longest_paths,
    tree_of_pairs,
)
from cladewise.datasets.published.imagenet.validation import validation_classes
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.datasets.published.pair_lines import read_pairs
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.options import one_of
from cladewise.taxonomy.formats.wordnet import read_synsets
from cladewise.taxonomy.names.columns import ID

WHERE = "Get ILSVRC 2012 from https://image-net.org (a login is needed) or Kaggle, and unpack it."
CREDIT = "ImageNet: Russakovsky et al., IJCV 2015; for non-commercial research and education"
_PUBLISHED = ("data/imagenet_isa.txt",)
Parents = Literal["one", "all"]


def from_imagenet(
    path: str | PathLike[str],
    hierarchy: str | PathLike[str] | None = None,
    wordnet: str | PathLike[str] | None = None,
    parents: Parents = "one",
) -> Dataset:
    """Read ImageNet (ILSVRC 2012) with a tree over its classes; the validation images are the split ``test``.

    | option | tree |
    |---|---|
    | ``hierarchy=`` | the published tree of Making Better Mistakes, one parent per synset: 1,372 nodes |
    | ``wordnet=`` | the same tree, derived from WordNet 3.0 by the authors' rule |
    | ``wordnet=``, ``parents="all"`` | WordNet's hypernyms up to *entity*, with several parents |

    In the third tree, a synset that would be a leaf without being a class, because its children have another primary
    parent, is left out. The column ``id`` has the WordNet ids, which are unique; two classes are called *crane*.
    Images are found by listing their folders and are not opened.

    Args:
        path: The folder with ``train/<id>/`` and ``val/``, as torchvision has them, or Kaggle's with
            ``ILSVRC/Data/CLS-LOC/``. Validation images in one folder also need ``LOC_val_solution.csv`` or the
            development kit (``ILSVRC2012_devkit_t12/`` or its archive). If some classes are missing, the tree is
            that of the others.
        hierarchy: A clone of making-better-mistakes, or its file ``data/imagenet_isa.txt``.
        wordnet: WordNet's folder, or its ``data.noun``.
        parents: ``"one"`` or ``"all"`` parents of a synset.

    Raises:
        InputError: Not exactly one of ``hierarchy`` and ``wordnet`` is given, a file or folder is missing or
            malformed, or a class is not in the tree.

    Example:
        >>> from cladewise import datasets
        >>> options = datasets.write_made_up("imagenet-1k", getfixture("tmp_path"))
        >>> data = from_imagenet(options["path"], hierarchy=options["hierarchy"])
        >>> data.taxonomy.path_name(data.taxonomy.find("n02701002"))
        'physical entity/vehicle/car/ambulance'

    References:
        Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015, arXiv:1409.0575. Bertinetto et
        al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393 (the tree).
    """
    one_of("parents", parents, get_args(Parents))
    files = OfficialFiles.at(path, "ImageNet", WHERE, (TRAIN, VAL))
    train, val = files.folder(*TRAIN), files.folder(*VAL)
    classes = classes_in(train)
    if not classes:
        got = "tar files" if any(train.glob("n*.tar")) else "none"
        raise InputError("folders of classes like n01440764", got, at=str(train), advice=files.advice)
    taxonomy, made_of = _tree(classes, hierarchy, wordnet, parents)
    rows = {"train": files_by_class(files.root, train, classes)}
    sorted_classes = classes_in(val)
    rows["test"] = files_by_class(files.root, val, sorted_classes) if sorted_classes else validation_classes(files, val)
    return dataset_of_rows(
        with_nodes(rows, taxonomy, str(val)),
        taxonomy,
        name="imagenet-1k",
        root=files.root,
        source={"kind": "imagenet-1k", "path": str(files.root), **made_of},
        credit=CREDIT,
    )


def with_nodes(rows: dict[str, pl.DataFrame], taxonomy: Taxonomy, at: str) -> pl.DataFrame:
    """Split, path and node of images with a ``class``, given for each split.

    Raises:
        InputError: A class is not in the tree.
    """
    every = pl.concat([part.select(pl.lit(split).alias("split"), "path", "class") for split, part in rows.items()])
    known = pl.DataFrame({"class": taxonomy.columns[ID].tolist(), "node": range(taxonomy.num_nodes)})
    found = every.join(known, on="class", how="left", maintain_order="left")
    lost = found.filter(pl.col("node").is_null())["class"]
    if lost.len():
        raise InputError("classes of the training images", f"{lost[0]} for {lost.len():,} images", at=at)
    return found.select("split", "path", "node")


def _tree(
    classes: list[str],
    hierarchy: str | PathLike[str] | None,
    wordnet: str | PathLike[str] | None,
    parents: Parents,
) -> tuple[Taxonomy, dict[str, Any]]:
    """The tree of some classes, and the options that it was made with."""
    if (hierarchy is None) == (wordnet is None):
        advice = "hierarchy= is a clone of making-better-mistakes, wordnet= the folder of WordNet 3.0."
        raise InputError("either hierarchy= or wordnet=", "none" if wordnet is None else "both", advice=advice)
    if hierarchy is not None:
        if parents == "all":
            raise InputError('wordnet= with parents="all"', "hierarchy=, which has one parent per synset")
        file = better_mistakes.find(hierarchy, _PUBLISHED)
        pairs = pairs_above(read_pairs(file), classes, str(file))
        return tree_of_pairs(pairs, first_words()), {"hierarchy": str(file)}
    assert wordnet is not None
    nouns = data_noun(wordnet)
    given = {"wordnet": str(Path(wordnet).expanduser().absolute())}
    if parents == "all":
        return hypernym_graph(nouns, classes), {**given, "parents": parents}
    synsets = read_synsets(nouns)
    pairs = tree_of_longest_paths(synsets, classes, str(nouns))
    return tree_of_pairs(pairs, {one: synset.words[0] for one, synset in synsets.items()}), given
