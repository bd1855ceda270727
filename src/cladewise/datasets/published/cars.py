"""Stanford Cars: 16,185 photographs of cars in 9 types and 196 models."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.fact_tables import fact_table
from cladewise.datasets.published.image_rows import dataset_of_rows, image_rows
from cladewise.datasets.published.made_up import write_picture
from cladewise.datasets.published.matlab_files import matlab_variable
from cladewise.datasets.published.official_files import OfficialFiles, official_folder
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some

_NAME = "stanford-cars"
_ARCHIVE = "stanford_cars"
_SPLITS = ("train", "test")
_META = "devkit/cars_meta.mat"
_TRAIN_LABELS = "devkit/cars_train_annos.mat"
_TEST_LABELS = "cars_test_annos_withlabels.mat"
_FILES = (_META, _TRAIN_LABELS, (_TEST_LABELS, f"devkit/{_TEST_LABELS}"))
_WHERE = (
    "The authors' site no longer has the files; https://github.com/pytorch/vision/issues/7545 lists copies of "
    f"cars_train/, cars_test/, devkit/ and {_TEST_LABELS} (the test labels, which devkit/cars_test_annos.mat lacks)."
)


def from_cars(path: str | PathLike[str]) -> Dataset:
    """Read Stanford Cars with its official splits ``train`` and ``test``, and the type of every model.

    The files have no tree. The types are those of the published list (References): for most models the body style in
    the name of the class, such as Sedan or SUV; for the others the style of the car.

    Args:
        path: The folder with ``devkit``, ``cars_train`` and ``cars_test``, or the folder above with ``stanford_cars``,
            as torchvision has it. Photographs may be in ``cars_train/cars_train`` and ``cars_test/cars_test``, as on
            Kaggle. The test labels are in ``cars_test_annos_withlabels.mat`` in it or in ``devkit``.

    Raises:
        InputError: A file is missing or malformed, or a class is not one of Stanford Cars.

    Example:
        >>> from cladewise.datasets import write_made_up
        >>> options = write_made_up("stanford-cars", getfixture("tmp_path"))
        >>> from_cars(options["path"]).taxonomy.level_names
        ('type', 'model')

    References:
        Krause, Stark, Deng and Fei-Fei, 3D object representations for fine-grained categorization, 3dRR 2013. Types:
        Chang, Pang, Zheng, Ma, Song and Guo, Your "Flamingo" is My "Bird": Fine-Grained, or Not, CVPR 2021,
        arXiv:2011.09040, and their repository PRIS-CV/Fine-Grained-or-Not.
    """
    files = OfficialFiles.at(path, "Stanford Cars", _WHERE, _FILES, (_ARCHIVE,))
    meta = files.file(_META)
    tables = {
        "train": files.file(_TRAIN_LABELS),
        "test": files.file(_TEST_LABELS, f"devkit/{_TEST_LABELS}"),
    }
    models = [str(name) for name in matlab_variable(meta, "class_names", str(meta)).tolist()]
    type_by_model = {model: kind for kind, model in fact_table("stanford_cars")[1]}
    unknown = [model for model in models if model not in type_by_model]
    if unknown:
        raise InputError("classes of Stanford Cars", some(unknown), at=str(meta), advice=_WHERE)
    paths = [(type_by_model[model], model) for model in models]
    taxonomy = Taxonomy.from_paths(sorted(paths), level_names=("type", "model"))
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    node_of_class = [node_by_path[names] for names in paths]
    rows: list[tuple[str, str, int]] = []
    for split, table in tables.items():
        folder = files.folder(f"cars_{split}").name
        if (files.root / folder / folder).is_dir():  # Kaggle's
            folder = f"{folder}/{folder}"
        annotations = matlab_variable(table, "annotations", str(table))
        names = annotations.dtype.names or ()
        if "fname" not in names or "class" not in names:
            raise InputError("annotations with fname and class", ", ".join(names) or "none", at=str(table))
        for image, number in zip(annotations["fname"].tolist(), annotations["class"].tolist(), strict=True):
            if not 1 <= number <= len(models):
                raise InputError(f"classes from 1 to {len(models)}", number, at=str(table))
            rows.append((split, f"{folder}/{image}", node_of_class[number - 1]))
    return dataset_of_rows(
        image_rows(rows),
        taxonomy,
        name=_NAME,
        root=files.root,
        check="files",
        source={"kind": _NAME, "path": str(files.root)},
        credit="Stanford Cars: Krause et al. 2013, for non-commercial research",
    )


def _recognises(folder: Path) -> bool:
    found = official_folder(folder, _FILES, (_ARCHIVE,))
    return found is not None and (found / _META).is_file()


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    from scipy.io import savemat

    root = folder / _ARCHIVE
    (root / "devkit").mkdir(parents=True, exist_ok=True)
    chosen = (1, 2, 8, 9, 13, 32, 17)
    models = [fact_table("stanford_cars")[1][number - 1][-1] for number in chosen]
    savemat(root / "devkit/cars_meta.mat", {"class_names": np.array(models, dtype=object)[None]})
    fields = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
    for split in _SPLITS:
        classes = random.permutation(np.repeat(np.arange(len(models)), images_per_class)).tolist()
        annotations = np.zeros((1, len(classes)), dtype=[(name, object) for name in fields])
        for image, number in enumerate(classes):
            file = f"{image + 1:05d}.jpg"
            write_picture(root / f"cars_{split}" / file, number, random)
            annotations[0, image] = (1, 1, 64, 64, number + 1, file)
        place = root / (_TEST_LABELS if split == "test" else "devkit/cars_train_annos.mat")
        savemat(place, {"annotations": annotations})
    return {"path": str(root)}


STANFORD_CARS = PublishedDataset(
    name=_NAME,
    description="16,185 photographs of 196 models of cars of 9 types; pass path= to a copy on disk",
    read=from_cars,
    facts=Facts(
        levels={"type": 9, "model": 196},
        images={"train": 8144, "test": 8041},
        licence="for non-commercial research",
        citation=(
            "Krause, Stark, Deng and Fei-Fei, 3D object representations for fine-grained categorization, 3dRR 2013; "
            'types: Chang et al., Your "Flamingo" is My "Bird": Fine-Grained, or Not, CVPR 2021'
        ),
        where=_WHERE,
        files={
            "devkit/cars_meta.mat": "names of the classes",
            "devkit/cars_train_annos.mat": "classes of the training images",
            _TEST_LABELS: "classes of the test images; may be in devkit/",
            "cars_train/": "photographs",
            "cars_test/": "photographs",
        },
    ),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
