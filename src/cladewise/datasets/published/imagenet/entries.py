"""ImageNet and tieredImageNet-H as published datasets, with their facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cladewise.datasets.published.better_mistakes import REPOSITORY
from cladewise.datasets.published.imagenet.made_up import write_made_up_imagenet, write_made_up_tiered_imagenet
from cladewise.datasets.published.imagenet.reading import WHERE, from_imagenet
from cladewise.datasets.published.imagenet.tiered import from_tiered_imagenet
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset

_LICENCE = "ImageNet: non-commercial research and education"

_FACTS = Facts(
    levels={},
    images={"train": 1_281_167, "test": 50_000},
    licence=_LICENCE,
    citation="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015",
    where=WHERE,
    files={
        "train/": "a folder per class, called after its WordNet id, with the training images",
        "val/": "the same with the validation images, which are the test split, or all of them in one folder",
        "LOC_val_solution.csv": "or ILSVRC2012_devkit_t12/: classes of validation images in one folder",
    },
    num_leaves=1000,
    num_nodes=1372,
    notes=("The tree is that of Making Better Mistakes, or WordNet's hypernyms with several parents.",),
)


def _facts(options: Mapping[str, Any]) -> Facts:
    """The facts of the tree that is asked for; the number of WordNet's hypernyms is not published."""
    return dataclasses.replace(_FACTS, num_nodes=None) if options.get("parents") == "all" else _FACTS


IMAGENET = PublishedDataset(
    name="imagenet-1k",
    description="1,331,167 images in 1,000 classes in a tree from WordNet; pass path=, and hierarchy= or wordnet=",
    read=from_imagenet,
    facts=_FACTS,
    options=("path", "hierarchy", "wordnet", "parents"),
    facts_for=_facts,
    write_made_up=write_made_up_imagenet,
)
TIERED_IMAGENET = PublishedDataset(
    name="tiered-imagenet-h",
    description="608 classes of ImageNet in the tree of Making Better Mistakes; pass path= and hierarchy=",
    read=from_tiered_imagenet,
    facts=Facts(
        levels={},
        images={},
        licence=f"{_LICENCE}; the lists: Creative Commons Attribution-NonCommercial-ShareAlike 4.0",
        citation="Bertinetto et al., Making Better Mistakes, CVPR 2020",
        where=f"{WHERE} The tree and the lists are in {REPOSITORY}.",
        files={
            "train/ and val/": "ImageNet's images, which the lists name",
            "train/, val/ and test/": "or images sorted by the lists, a folder per class",
        },
        num_leaves=608,
        num_nodes=843,
        notes=("The published distances of classes are not heights in the published tree.",),
    ),
    options=("path", "hierarchy"),
    required=("path", "hierarchy"),
    write_made_up=write_made_up_tiered_imagenet,
)
