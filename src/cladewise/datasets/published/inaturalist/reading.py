"""iNaturalist 2018, 2019, 2021 and 2021-mini, from their annotations or from the class folders of 2021."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published import better_mistakes
from cladewise.datasets.published.image_rows import dataset_of_rows
from cladewise.datasets.published.inaturalist.annotations import read_annotated
from cladewise.datasets.published.inaturalist.class_folders import has_class_folders, read_class_folders
from cladewise.datasets.published.inaturalist.versions import VERSIONS
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.columns import ID, SYNONYMS

_CREDIT = "iNaturalist: Van Horn et al., CVPR 2018 and 2021; for non-commercial research and education"
_LISTS = ("dataset_splits/splits_inat19.zip", "dataset_splits/splits_inat19")
_SPLIT = "inat-2019"
"""The version with splits of Making Better Mistakes."""


def from_inaturalist(name: str, path: str | PathLike[str], splits: str | PathLike[str] | None = None) -> Dataset:
    """Read a version of iNaturalist with its seven levels, kingdom to species.

    The official validation images are the split ``test``, since the labels of the test images are not public.
    Internal nodes with a single child are kept, and a genus name in two kingdoms is two nodes. Images are looked for
    in listings of their folders and not opened.

    Args:
        name: ``inat-2018``, ``inat-2019``, ``inat-2021`` or ``inat-2021-mini``.
        path: The folder with the annotations (``train2018.json`` and ``val2018.json``; for 2021 ``train.json`` or
            ``train_mini.json``, and ``val.json``) and with the images as unpacked (``train_val2018/``, ``train/``,
            ``val/``) or as torchvision names them (``2018/``, ``2021_train/``, ``2021_valid/``). The names of 2018 and
            2019 were published later in ``categories.json``, which is used if it is there. The class folders of 2021
            are read without annotations too.
        splits: For 2019, the splits of Making Better Mistakes: a clone of the repository, its
            ``splits_inat19.zip``, or the folder in it.

    Raises:
        InputError: A file is missing or malformed, an image has no label or several, or no image is there.

    Example:
        >>> from cladewise import datasets
        >>> options = datasets.write_made_up("inat-2021-mini", getfixture("tmp_path"))
        >>> tree = from_inaturalist("inat-2021-mini", options["path"]).taxonomy
        >>> [tree.path_name(node).split("/")[0] for node in tree.matches("Ficus")]  # snails and trees
        ['Animalia', 'Plantae']

    References:
        Van Horn et al., The iNaturalist Species Classification and Detection Dataset, CVPR 2018, arXiv:1707.06642;
        Benchmarking Representation Learning for Natural World Image Collections, CVPR 2021, arXiv:2103.16483.
        Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393 (the splits).
    """
    version = VERSIONS[name]
    files = OfficialFiles.at(path, version.title, version.advice, version.files)
    source: dict[str, Any] = {"kind": name, "path": str(files.root)}
    from_folders = not (files.root / version.train).is_file() and has_class_folders(files.root, version)
    taxonomy, rows = (read_class_folders if from_folders else read_annotated)(files, version)
    if name == _SPLIT:
        taxonomy = _with_their_names(taxonomy)
    if splits is not None:
        if name != _SPLIT:
            raise InputError(f"no splits= for {name}", str(splits), advice=f"They are those of {_SPLIT}.")
        lists = better_mistakes.find(splits, _LISTS)
        rows = _as_listed(rows, taxonomy, lists)
        source["splits"] = str(lists)
    return dataset_of_rows(rows, taxonomy, name=name, root=files.root, source=source, credit=_CREDIT)


def _with_their_names(taxonomy: Taxonomy) -> Taxonomy:
    """The tree with the names of classes in the files of Making Better Mistakes, ``nat0934``, as synonyms."""
    ids = taxonomy.columns[ID].tolist()
    names = [f"nat{int(ids[node]):04d}" if taxonomy.is_leaf[node] else "" for node in taxonomy]
    return taxonomy.with_columns({**taxonomy.columns, SYNONYMS: names})


def _as_listed(rows: pl.DataFrame, taxonomy: Taxonomy, lists: Path) -> pl.DataFrame:
    """The images of split lists, which name classes ``nat0934`` after the ids of categories.

    Raises:
        InputError: A listed image is not annotated with its class.
    """
    classes = pl.Series(taxonomy.columns[SYNONYMS].tolist()).gather(rows["node"])
    named = rows.select("path", "node", file=pl.col("path").str.extract(r"([^/]*)$"), **{"class": classes})
    listed = better_mistakes.read_splits(lists).join(named, on=["file", "class"], how="left", maintain_order="left")
    lost = listed.filter(pl.col("node").is_null())
    if lost.height:
        shown = some((lost["class"] + "/" + lost["file"]).to_list())
        raise InputError("lists of annotated images", f"{lost.height:,} others: {shown}", at=str(lists))
    return listed.select("split", "path", "node")
