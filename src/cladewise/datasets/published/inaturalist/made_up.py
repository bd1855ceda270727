"""Small made-up files in the layouts of iNaturalist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.published.inaturalist.versions import RANKS, VERSIONS
from cladewise.datasets.published.made_up import write_picture

_SPECIES = (  # Ficus is a genus of snails and one of trees, Felis the only genus of its class here
    ("Birds", "Animalia Chordata Aves Passeriformes Corvidae Corvus", "corax"),
    ("Birds", "Animalia Chordata Aves Passeriformes Corvidae Corvus", "corone"),
    ("Birds", "Animalia Chordata Aves Passeriformes Turdidae Turdus", "merula"),
    ("Mammals", "Animalia Chordata Mammalia Carnivora Felidae Felis", "catus"),
    ("Mollusks", "Animalia Mollusca Gastropoda Littorinimorpha Ficidae Ficus", "ficus"),
    ("Plants", "Plantae Tracheophyta Magnoliopsida Rosales Moraceae Ficus", "carica"),
    ("Plants", "Plantae Tracheophyta Magnoliopsida Rosales Moraceae Ficus", "religiosa"),
    ("Plants", "Plantae Tracheophyta Liliopsida Poales Poaceae Poa", "annua"),
)


def write_made_up_inaturalist(
    name: str, folder: Path, images_per_class: int, random: np.random.Generator
) -> dict[str, Any]:
    """Write made-up files of a version; see :func:`cladewise.datasets.write_made_up`.

    Example:
        >>> from cladewise.datasets.published.inaturalist.reading import from_inaturalist
        >>> options = write_made_up_inaturalist("inat-2021", getfixture("tmp_path"), 2, np.random.default_rng(0))
        >>> from_inaturalist("inat-2021", **options).splits["test"].size
        16
    """
    version = VERSIONS[name]
    categories = [_category(number, *species) for number, species in enumerate(_SPECIES)]
    first = 0
    for file, top in zip((version.train, version.val), _tops(version.folders), strict=True):
        images: list[dict[str, Any]] = []
        for number, (group, _, _) in enumerate(_SPECIES):
            place = f"{group}/{number}" if version.obfuscated else str(categories[number]["image_dir_name"])
            for _ in range(images_per_class):
                path = f"{top}/{place}/{random.bytes(16).hex()}.jpg"
                write_picture(folder / path, number, random)
                images.append({"id": first + len(images), "width": 64, "height": 64, "file_name": path, "license": 0})
        labels = [
            {"id": image["id"], "image_id": image["id"], "category_id": place // images_per_class}
            for place, image in enumerate(images)
        ]
        first += len(images)
        listed = [_obfuscated(category) for category in categories] if version.obfuscated else categories
        document = {"info": {}, "images": images, "categories": listed, "annotations": labels, "licenses": []}
        (folder / file).write_text(json.dumps(document), encoding="utf-8")
    if version.obfuscated:
        (folder / "categories.json").write_text(json.dumps(categories), encoding="utf-8")
    return {"path": str(folder)}


def _tops(folders: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The folder of the training and of the validation images, which may be one."""
    names = list(folders)
    return names[0], names[-1]


def _category(number: int, group: str, ranks: str, epithet: str) -> dict[str, str | int]:
    names = ranks.split()
    return {
        "id": number,
        "name": f"{names[-1]} {epithet}",
        "supercategory": group,
        **dict(zip(RANKS, names, strict=True)),
        "specific_epithet": epithet,
        "image_dir_name": "_".join([f"{number:05d}", *names, epithet]),
    }


def _obfuscated(category: Mapping[str, str | int]) -> dict[str, str | int]:
    """A category with made-up names, as in the competitions of 2018 and 2019."""
    names = {key: str(category[key])[::-1].capitalize() for key in (*RANKS, "name")}
    return {"id": category["id"], "supercategory": category["supercategory"], **names}
