"""The ETHEC butterflies: specimens of the Entomological Collection of ETH Zürich."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.image_rows import dataset_of_rows
from cladewise.datasets.published.made_up import write_picture
from cladewise.datasets.published.official_files import OfficialFiles, official_folder
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_bytes

_LEVELS = ("family", "subfamily", "genus", "species")
_SPLITS = ("train", "val", "test")
_LISTS = ("splits", "splits/ETHEC", ".")
_IMAGES = ("IMAGO_build_test_resized", "IMAGO_build_resized", "IMAGO_build")
_ARCHIVE = "ETHEC_dataset"
_FILES = (*(tuple(f"{place}/{split}.json" for place in _LISTS) for split in _SPLITS), _IMAGES)
_WHERE = "Get ETHEC_dataset_v0.1.zip from https://www.research-collection.ethz.ch/handle/20.500.11850/365379."
_CREDIT = "ETHEC: Dhall, ETH Zürich, 2019, doi:10.3929/ethz-b-000365379"


class _Specimen(msgspec.Struct):
    """One entry of a list of specimens; its further keys are not needed."""

    image_path: str
    image_name: str
    family: str
    subfamily: str
    genus: str
    specific_epithet: str


def from_ethec(path: str | PathLike[str]) -> Dataset:
    """Read ETHEC with its official splits: 6 families, 21 subfamilies, 135 genera and 561 species.

    A species is a genus with a specific epithet, named ``genus epithet``; epithets repeat between genera. The lists
    name some photographs under several tokens: each is an image, so that the numbers are the published ones, and
    ``Dataset.notes`` counts them.

    Args:
        path: The folder ``ETHEC_dataset``, with the lists ``splits/train.json``, ``val.json`` and ``test.json``, which
            map a token to ``image_path``, ``image_name``, ``family``, ``subfamily``, ``genus`` and
            ``specific_epithet``, and with the images ``IMAGO_build_test_resized/<image_path>/<image_name>``.

    Raises:
        InputError: A list is missing or malformed, a rank is blank, or no image is there.

    Example:
        >>> from cladewise import datasets
        >>> options = datasets.write_made_up("ethec", getfixture("tmp_path"))
        >>> data = from_ethec(options["path"])
        >>> len(data), data.taxonomy.path_name(4)
        (42, 'Papilionidae/Papilioninae/Iphiclides/Iphiclides podalirius')

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR workshop 2020,
        arXiv:2004.03459.
    """
    files = OfficialFiles.at(path, "ETHEC", _WHERE, _FILES, (_ARCHIVE,))
    lists = {split: files.file(*(f"{place}/{split}.json" for place in _LISTS)) for split in _SPLITS}
    images = files.folder(*_IMAGES)
    listed = pl.concat([_rows(file, split) for split, file in lists.items()])
    names = listed.select(_LEVELS).unique(maintain_order=True)
    taxonomy = Taxonomy.from_paths(names.sort(_LEVELS).iter_rows(), level_names=_LEVELS)
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy.leaf_nodes.tolist()}
    nodes = pl.Series("node", [node_by_path[row] for row in names.iter_rows()], dtype=pl.Int64)
    listed = listed.join(names.with_columns(nodes), on=_LEVELS, how="left", maintain_order="left")
    listed = listed.with_columns(path=pl.lit(f"{images.name}/") + pl.col("path"))
    return dataset_of_rows(
        listed.select("split", "path", "node"),
        taxonomy,
        name="ethec",
        root=files.root,
        source={"kind": "ethec", "path": str(files.root)},
        credit=_CREDIT,
        notes=_repeated(listed),
    )


def _rows(file: Path, split: str) -> pl.DataFrame:
    """Split, path and names of every entry of a list.

    Raises:
        InputError: The list is not JSON or not one of specimens, or a rank is blank.
    """
    try:
        entries = msgspec.json.decode(read_bytes(file), type=dict[str, _Specimen], strict=True)
    except msgspec.DecodeError as error:
        expected = "a JSON object of specimens with image_path, image_name, family, subfamily, genus, specific_epithet"
        raise InputError(expected, f"an error: {error}", at=str(file), advice=_WHERE) from error
    found = pl.DataFrame(
        {
            "token": list(entries),
            **{key: [getattr(each, key) for each in entries.values()] for key in _Specimen.__struct_fields__},
        },
        schema=dict.fromkeys(("token", *_Specimen.__struct_fields__), pl.String),
    )
    for key in _Specimen.__struct_fields__:
        if (blank := found.filter(pl.col(key).str.strip_chars() == "")["token"]).len():
            raise InputError(f"a {key} for every specimen", f"none for {some(blank.to_list())}", at=str(file))
    return found.select(
        pl.lit(split).alias("split"),
        pl.format("{}/{}", "image_path", "image_name").alias("path"),
        *_LEVELS[:3],
        pl.format("{} {}", "genus", "specific_epithet").alias("species"),
    )


def _repeated(listed: pl.DataFrame) -> tuple[str, ...]:
    """A note on the photographs that are listed more than once."""
    again = listed.filter(pl.col("path").is_duplicated())
    if not again.height:
        return ()
    torn = again.filter(pl.col("split").n_unique().over("path") > 1)["path"].n_unique()
    return (f"{again['path'].n_unique():,} photographs are listed more than once, {torn:,} of them in several splits",)


_MADE_UP = (  # the epithet machaon repeats in another genus, and the family Riodinidae has a single species
    ("Papilionidae", "Papilioninae", "Papilio", "machaon"),
    ("Papilionidae", "Papilioninae", "Iphiclides", "podalirius"),
    ("Papilionidae", "Parnassiinae", "Parnassius", "apollo"),
    ("Papilionidae", "Parnassiinae", "Parnassius", "machaon"),
    ("Pieridae", "Pierinae", "Pieris", "rapae"),
    ("Pieridae", "Pierinae", "Pieris", "napi"),
    ("Riodinidae", "Nemeobiinae", "Hamearis", "lucina"),
)


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    for split in _SPLITS:
        entries: dict[str, dict[str, Any]] = {}
        for number, (family, subfamily, genus, epithet) in enumerate(_MADE_UP):
            for _ in range(images_per_class):
                token, place = random.bytes(16).hex(), f"2017_01_{number + 1:02d}R"
                image = f"ETHZ_ENT01_{place[:-1]}_{token[:6]}.JPG"
                write_picture(folder / _IMAGES[0] / place / image, number, random)
                entries[token] = {"token": token, "image_path": place, "image_name": image, "family": family}
                entries[token] |= {"subfamily": subfamily, "genus": genus, "specific_epithet": epithet}
        (folder / "splits" / f"{split}.json").write_text(json.dumps(entries, indent=4), encoding="utf-8")
    return {"path": str(folder)}


def _recognises(given: Path) -> bool:
    folder = official_folder(given, _FILES, (_ARCHIVE,))
    return (
        folder is not None
        and any((folder / name).is_dir() for name in _IMAGES)
        and any((folder / f"{place}/train.json").is_file() for place in _LISTS)
    )


ETHEC = PublishedDataset(
    name="ethec",
    description="47,978 photographs of butterfly specimens in 561 species, 4 levels; pass path= to a copy on disk",
    read=from_ethec,
    facts=Facts(
        levels=dict(zip(_LEVELS, (6, 21, 135, 561), strict=True)),
        images={"train": 37_643, "val": 5_286, "test": 5_049},
        licence="as stated on the page of the archive",
        citation="Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPRW 2020",
        where=_WHERE,
        files={
            "splits/train.json": "specimens of the training split; likewise val.json and test.json",
            f"{_IMAGES[0]}/": "a folder per day with the photographs of specimens",
        },
        notes=("The lists name some photographs under several tokens; each counts as an image.",),
    ),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
