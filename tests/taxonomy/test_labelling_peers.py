"""Files for labelling tools, read back by the tools themselves; they are heavy, and skipped where they are missing."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from cladewise.errors import InputWarning
from cladewise.taxonomy import Taxonomy, read

SAMPLES = Path(__file__).parent / "labelling_samples"
TREE = Taxonomy.from_paths([("Birds", "Wren"), ("Birds", "Crane"), ("Machines", "Crane"), ("A & B", 'say "hi"')])


def written(folder: Path, form: str, name: str, tree: Taxonomy = TREE) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        tree.write(folder / name, format=form)
    return folder / name


def datumaro_labels(path: Path) -> tuple[list[tuple[str, str]], dict[str, set[str]]]:
    datumaro = pytest.importorskip("datumaro")
    folder = path.parent / "project" / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "default.json").write_text(path.read_text())
    found = datumaro.Dataset.import_from(str(folder.parent), "datumaro").categories()
    labels = found[datumaro.AnnotationType.label]
    groups = {group.name: set(group.labels) for group in labels.label_groups}
    return [(item.name, item.parent) for item in labels.items], groups


def test_datumaro_reads_labels_parents_and_groups(tmp_path):
    labels, groups = datumaro_labels(written(tmp_path, "datumaro", "labels.json"))
    assert labels == [
        ("Birds", ""),
        ("Wren", "Birds"),
        ("Birds/Crane", "Birds"),
        ("Machines", ""),
        ("Machines/Crane", "Machines"),
        ("A & B", ""),
        ('say "hi"', "A & B"),
    ]
    assert groups["top"] == {"Birds", "Machines", "A & B"}
    assert groups["Birds"] == {"Wren", "Birds/Crane"}


def test_groups_survive_a_round_trip_through_datumaro_and_cladewise(tmp_path):
    tree = read(SAMPLES / "datumaro" / "annotations" / "train.json")
    labels, groups = datumaro_labels(written(tmp_path, "datumaro", "labels.json", tree))
    assert dict(labels)["Wren"] == "Birds"
    assert groups == {"top": {"Birds", "Insects"}, "Birds___Species": {"Wren", "Robin"}, "Light": {"Night"}}


def test_label_studio_accepts_the_configuration_and_paths_of_its_tree(tmp_path):
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    tree = Taxonomy([*TREE.parents], TREE.names, columns={"id": ["", "b", "b1", "b2", "m", "m1", "a", ""]})
    for chosen in (TREE, tree):
        config = interface(written(tmp_path, "label-studio", "config.xml", chosen).read_text())
        config.validate()
        control = config.get_control("taxonomy")
        ids = chosen.columns["id"].tolist() if "id" in chosen.columns else [""] * len(chosen)
        names = {text or name for text, name in zip(ids[1:], chosen.names[1:].tolist(), strict=True)}
        assert set(control.labels) == names
        result = {"from_name": "taxonomy", "to_name": "image", "type": "taxonomy"}
        path = [(ids[3] and ids[1]) or "Birds", ids[3] or "Crane"]
        assert config.validate_prediction({"result": [{**result, "value": {"taxonomy": [path]}}], "score": 0.5})
