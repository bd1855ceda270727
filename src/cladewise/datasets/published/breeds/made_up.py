"""Small made-up files of a BREEDS task: a hierarchy with enough classes, and images of those that are drawn."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.published.breeds.hierarchy import ROOT, Hierarchy
from cladewise.datasets.published.breeds.task_sampling import TASKS
from cladewise.datasets.published.imagenet.made_up import write_class_folders
from cladewise.datasets.published.imagenet.synset_lists import first_words, imagenet_classes


def write_made_up_breeds(name: str, folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    """Write a made-up hierarchy in the published files, and images of the task's classes.

    The task has all its classes, since they are drawn from coarse classes with enough of them, but their grouping is
    made up. One coarse class has too few and is not drawn.

    Example:
        >>> from cladewise.datasets.published.breeds.from_imagenet import from_breeds
        >>> options = write_made_up_breeds("living-17", getfixture("tmp_path"), 1, np.random.default_rng(0))
        >>> from_breeds("living-17", **options).taxonomy
        Taxonomy(86 nodes, 68 leaves, 2 levels, synthetic root)
    """
    task = TASKS[name]
    hierarchy = folder / "BREEDS-Benchmarks" / "imagenet_class_hierarchy" / "modified"
    hierarchy.mkdir(parents=True, exist_ok=True)
    chain = [ROOT, *([task.ancestor] if task.ancestor != ROOT else [])]
    chain += [f"f{step:08d}" for step in range(len(chain), task.level)]
    coarse = [f"f1{number:07d}" for number in range(task.num_coarse + 1)]
    classes = iter(imagenet_classes())
    groups = {one: [next(classes) for _ in range(task.subclasses)] for one in coarse[:-1]}
    groups[coarse[-1]] = [next(classes) for _ in range(task.subclasses - 1)]
    pairs = [*itertools.pairwise(chain), *((chain[-1], one) for one in coarse)]
    pairs += [(one, each) for one, members in groups.items() for each in members]
    words = first_words()
    used = [each for members in groups.values() for each in members]
    rows = [[number, each, words[each]] for number, each in enumerate(used)]
    names = [f"{one}\tgroup {number}\n" for number, one in enumerate(coarse)]
    texts = {
        "class_hierarchy.txt": "".join(f"{parent} {child}\n" for parent, child in pairs),
        "dataset_class_info.json": json.dumps(rows),
        "node_names.txt": "".join(names),
    }
    for file, text in texts.items():
        (hierarchy / file).write_text(text, encoding="utf-8")
    drawn = Hierarchy.read(hierarchy).candidates(task).draw(task, at=str(hierarchy))
    chosen = [each for members in drawn.values() for each in members]
    write_class_folders(folder / "imagenet", chosen, {"train": images_per_class, "val": images_per_class}, random)
    return {"path": str(folder / "imagenet"), "hierarchy": str(hierarchy)}
