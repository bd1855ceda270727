"""iNaturalist's versions as published datasets, with their facts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from cladewise.datasets.published.inaturalist.made_up import write_made_up_inaturalist
from cladewise.datasets.published.inaturalist.reading import from_inaturalist
from cladewise.datasets.published.inaturalist.versions import RANKS, VERSIONS
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset

_LEVELS = (*RANKS, "species")
_COUNTS = {
    "inat-2018": (6, 25, 57, 273, 1120, 4412, 8142),
    "inat-2019": (3, 4, 9, 34, 57, 72, 1010),
    "inat-2021": (3, 13, 51, 273, 1103, 4900, 10000),
    "inat-2021-mini": (3, 13, 51, 273, 1103, 4900, 10000),
}
_IMAGES = {
    "inat-2018": {"train": 437_513, "test": 24_426},
    "inat-2019": {"train": 265_213, "test": 3_030},
    "inat-2021": {"train": 2_686_843, "test": 100_000},
    "inat-2021-mini": {"train": 500_000, "test": 100_000},
}
_OF_LISTS = {"train": 187_385, "val": 40_121, "test": 40_737}
"""Images of each split of Making Better Mistakes."""
_CITATION = {
    "2018": "Van Horn et al., The iNaturalist Species Classification and Detection Dataset, CVPR 2018",
    "2019": "iNaturalist 2019 Competition, FGVC6 workshop at CVPR 2019",
    "2021": "Van Horn et al., Benchmarking Representation Learning for Natural World Image Collections, CVPR 2021",
}


def _entry(name: str) -> PublishedDataset:
    version, images, counts = VERSIONS[name], _IMAGES[name], _COUNTS[name]
    names = {"categories.json": "the real names, published after the competition"} if version.obfuscated else {}
    folders = {
        f"{official}/": f"images, or {other}/ as torchvision names it" for official, other in version.folders.values()
    }
    facts = Facts(
        levels=dict(zip(_LEVELS, counts, strict=True)),
        images=images,
        licence="terms of iNaturalist; non-commercial research and education, no redistribution of images",
        citation=_CITATION[name[5:9]],
        where=version.page,
        files={
            version.train: "annotations of the training images",
            version.val: "annotations of the validation images, which are the test split",
            **names,
            **folders,
        },
        notes=("Labels of the competition's test images are not public.",),
    )
    has_lists = name == "inat-2019"
    return PublishedDataset(
        name=name,
        description=f"{sum(images.values()):,} photographs of {counts[-1]:,} species, 7 levels; pass path= to a copy",
        read=functools.partial(from_inaturalist, name),
        facts=facts,
        options=("path", "splits") if has_lists else ("path",),
        facts_for=functools.partial(_of_lists, facts) if has_lists else None,
        write_made_up=functools.partial(write_made_up_inaturalist, name),
    )


def _of_lists(facts: Facts, options: Mapping[str, Any]) -> Facts:
    """The facts with the splits that are asked for."""
    return dataclasses.replace(facts, images=_OF_LISTS) if "splits" in options else facts


INATURALIST = tuple(_entry(name) for name in VERSIONS)
