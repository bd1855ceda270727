"""Predictions as tasks of Label Studio and items of Datumaro."""

from __future__ import annotations

import json

import polars as pl
import pytest
from PIL import Image

from cladewise import Taxonomy, datasets
from cladewise.errors import InputError, InputWarning
from cladewise.interchange import write_predictions

TREE = Taxonomy(
    [-1, 0, 1, 1, 0],
    ["", "bird", "wren", "crane", "moth"],
    columns={"id": ["", "b", "", "grus", ""]},
)
TABLE = pl.DataFrame(
    {
        "path": ["photos/a 1.png", "s3://bucket/b.png", "c.png"],
        "error": [None, None, "truncated"],
        "top_labels": [["bird/crane", "bird/wren"], ["moth"], None],
        "top_probabilities": [[0.75, 0.125], [0.5], None],
    }
)


def test_label_studio_tasks_have_a_prediction_per_answer(tmp_path):
    write_predictions(TABLE, tmp_path / "tasks.json", format="label-studio", taxonomy=TREE, model="hace")
    first, second, third = json.loads((tmp_path / "tasks.json").read_text())
    assert first["data"] == {"image": "/data/local-files/?d=photos/a%201.png"}
    assert second["data"] == {"image": "s3://bucket/b.png"}
    assert third == {"data": {"image": "/data/local-files/?d=c.png"}, "predictions": []}
    assert [(p["score"], p["result"][0]["value"]["taxonomy"]) for p in first["predictions"]] == [
        (0.75, [["b", "grus"]]),
        (0.125, [["b", "wren"]]),
    ]
    assert {p["model_version"] for p in first["predictions"]} == {"hace"}


def test_label_studio_accepts_the_tasks_for_the_configuration(tmp_path):
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    TREE.write(tmp_path / "config.xml", format="label-studio")
    write_predictions(TABLE, tmp_path / "tasks.json", format="label-studio", taxonomy=TREE)
    config = interface((tmp_path / "config.xml").read_text())
    for task in json.loads((tmp_path / "tasks.json").read_text()):
        assert all(config.validate_prediction(prediction) for prediction in task["predictions"])


def test_annotated_tasks_come_back_as_labels(tmp_path):
    """A task whose first prediction an annotator accepts is read with the configuration as the taxonomy."""
    TREE.write(tmp_path / "config.xml", format="label-studio")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "a 1.png")
    write_predictions(TABLE, tmp_path / "tasks.json", format="label-studio", taxonomy=TREE)
    task = json.loads((tmp_path / "tasks.json").read_text())[0]
    task["annotations"] = [{"result": task["predictions"][0]["result"], "was_cancelled": False, "completed_by": 1}]
    (tmp_path / "export.json").write_text(json.dumps([{"id": 1, **task}]))
    photos = datasets.from_export(tmp_path / "export.json", tmp_path / "config.xml")
    assert [photos.taxonomy.path_name(int(node)) for node in photos.nodes] == ["bird/crane"]


def test_datumaro_items_have_labels_with_scores(tmp_path):
    with pytest.warns(InputWarning, match="left out, since the format cannot hold them: the column id"):
        write_predictions(TABLE, tmp_path / "default.json", format="datumaro", taxonomy=TREE)
    found = json.loads((tmp_path / "default.json").read_text())
    names = [label["name"] for label in found["categories"]["label"]["labels"]]
    assert names == ["bird", "wren", "crane", "moth"]
    first, second = found["items"]
    assert first["id"] == "photos/a 1"
    assert first["image"] == {"path": "photos/a 1.png"}
    assert [(names[a["label_id"]], a["attributes"]["score"]) for a in first["annotations"]] == [
        ("crane", 0.75),
        ("wren", 0.125),
    ]
    assert second["image"]["path"] == "s3://bucket/b.png"


def test_datumaro_reads_the_items(tmp_path):
    datumaro = pytest.importorskip("datumaro")
    folder = tmp_path / "project" / "annotations"
    folder.mkdir(parents=True)
    with pytest.warns(InputWarning):
        write_predictions(TABLE.head(1), folder / "default.json", format="datumaro", taxonomy=TREE)
    (item,) = datumaro.Dataset.import_from(str(folder.parent), "datumaro")
    assert item.id == "photos/a 1"
    assert [(a.label, a.attributes["score"]) for a in item.annotations] == [(2, 0.75), (1, 0.125)]


@pytest.mark.parametrize("form", ["label-studio", "datumaro"])
@pytest.mark.filterwarnings("ignore::cladewise.errors.InputWarning")
def test_several_rows_of_an_image_are_refused(tmp_path, form):
    with pytest.raises(InputError, match=r"one row per image, but got several of 'photos/a 1.png'"):
        write_predictions([TABLE.head(1), TABLE.head(1)], tmp_path / "t.json", format=form, taxonomy=TREE)
