"""CVAT: the XML files of "CVAT for images 1.1", with the images next to them or in ``images``.

Tags of whole images count; boxes and other shapes with labels are not images, and are counted. Labels are flat in CVAT:
a name may be a path (``Fruit/Apple``), and attributes of a tag can be levels below its label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.exports.kinds import files_of
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.exports.places import first_existing, listed
from cladewise.errors import InputError
from cladewise.taxonomy.formats.labelling.cvat import labels_of_annotations, tree_of
from cladewise.taxonomy.formats.safe_xml import Element, each_element
from cladewise.taxonomy.names.paths import label_steps

FILES = ("*.xml",)


def read(path: Path, root: Path | None = None, *, levels: str | Sequence[str] | None = None) -> Labelled:
    """Read an export: its folder, or one XML file.

    Args:
        path: The folder, or a file of it.
        root: Folder of the images; by default ``images`` next to the file if it exists, otherwise that of the file.
        levels: Attributes of tags that are levels below their label, coarse to fine. A blank value ends the path.

    Raises:
        InputError: A file is no export of images, or a label is blank.
    """
    files = files_of(path, FILES) if path.is_dir() else [path]
    if not files:
        raise InputError("annotations (*.xml)", "none", at=str(path))
    beside = files[0].parent
    folder = root or (beside / "images" if (beside / "images").is_dir() else beside)
    attributes = listed(levels)
    paths: list[str] = []
    splits: list[str] = []
    image: list[int] = []
    label: list[int] = []
    numbers: dict[tuple[str, ...], int] = {}
    skipped: list[Skipped] = []
    shapes: Counter[str] = Counter()
    for file in files:
        for element in each_element(file, 1):
            if element.tag == "track":
                raise InputError("annotations of images", "those of a video", at=str(file), advice="Export its frames.")
            if element.tag != "image":
                continue
            subset = element.get("subset") or (file.stem if len(files) > 1 else "")
            found = _place(element, folder, subset, file)
            tags = [tag for tag in element if tag.tag == "tag"]
            others = Counter(shape.tag for shape in element if shape.get("label") and shape.tag != "tag")
            shapes += others
            if not tags and others:
                skipped.append(Skipped(found, f"no tag of the whole image, but {_counts(others)}"))
                continue
            for tag in tags:
                steps = _steps(tag, attributes, file, found)
                image.append(len(paths))
                label.append(numbers.setdefault(steps, len(numbers)))
            paths.append(found)
            splits.append(subset)
    known = [entry for file in files for entry in labels_of_annotations(file)]
    tree = tree_of(known, [level for level in attributes if any(level in entry.values for entry in known)], str(path))
    by_path = {tree.path_names(node): node for node in range(tree.num_nodes)}
    whole = bool(known) and all(steps in by_path for steps in numbers)
    return Labelled(
        root=folder,
        paths=paths,
        labels=list(numbers),
        image=np.array(image, dtype=np.int64),
        label=np.array(label, dtype=np.int64),
        splits=splits if any(splits) and "" not in splits else [],
        taxonomy=tree if whole else None,
        nodes=[by_path[steps] for steps in numbers] if whole else (),
        skipped=tuple(skipped),
        notes=(f"{_counts(shapes)} with labels, not used",) if shapes else (),
    )


def _steps(tag: Element, levels: Sequence[str], file: Path, image: str) -> tuple[str, ...]:
    values = {
        attribute.get("name", ""): (attribute.text or "").strip() for attribute in tag if attribute.tag == "attribute"
    }
    steps = list(label_steps(tag.get("label", "")))
    for level in levels:
        if not values.get(level):
            break
        steps.append(values[level])
    if not all(step.strip() for step in steps):
        raise InputError("a label for every tag", repr(tag.get("label")), at=f"{file}, {image}")
    return tuple(steps)


def _place(element: Element, folder: Path, subset: str, file: Path) -> str:
    name = element.get("name", "").replace("\\", "/")
    if not name:
        raise InputError("a name for every image", "none", at=f"{file}, image {element.get('id')}")
    images = [name, f"{name}.jpg", f"{name}.png"]  # some writers drop the suffix
    places = [f"{subset}/{image}" for image in images] if subset else []
    return first_existing(folder, [*images[:1], *places, *images[1:]])


def _counts(kinds: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
