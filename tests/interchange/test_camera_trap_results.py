"""Predictions in the formats of camera-trap tools."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cladewise import Taxonomy
from cladewise.errors import InputError
from cladewise.interchange import write_predictions
from cladewise.sources import open_source
from cladewise.taxonomy.formats.species.speciesnet import label_line

LINES = """\
1f1a;aves;passeriformes;turdidae;turdus;merula;common blackbird
2b2c;aves;passeriformes;;;;perching bird
3c3d;;;;;;blank
4d4e;mammalia;primates;hominidae;homo;sapiens;human
"""


@pytest.fixture
def tree(tmp_path: Path) -> Taxonomy:
    path = tmp_path / "labels.txt"
    path.write_text(LINES)
    return Taxonomy.read(path)


def table(tree: Taxonomy, rows: list[dict[str, Any]]) -> pl.DataFrame:
    found = [{"error": None, **row, "node": tree.find(row["label"]) if row.get("label") else None} for row in rows]
    return pl.DataFrame(found, infer_schema_length=None)


def test_label_lines_are_those_that_were_read(tree: Taxonomy) -> None:
    lines = [label_line(tree, v) for v in range(tree.num_nodes) if str(tree.columns["index"][v])]
    assert sorted(lines) == sorted(LINES.splitlines())
    assert label_line(tree, tree.find("turdus")).startswith("aves/passeriformes/turdidae/turdus;aves;passeriformes")


def test_megadetector_results_have_a_detection_per_row(tree: Taxonomy, tmp_path: Path) -> None:
    box = {"box_left": 0.1, "box_top": 0.2, "box_width": 0.3, "box_height": 0.4, "detection_confidence": 0.8}
    first = table(
        tree,
        [
            {"path": "a.jpg", "label": "1f1a", "probability": 0.9, "category": "animal", **box},
            {"path": "b.jpg", "label": "2b2c", "probability": 0.7, "category": "bird", **box},
        ],
    )
    second = table(
        tree,
        [
            {"path": "b.jpg", "label": "4d4e", "probability": 0.6, "category": "person", **box},
            {"path": "c.jpg", "label": None, "probability": None, "category": None, "error": "truncated"},
        ],
    )
    second = second.with_columns(pl.lit(None).alias(name) for name in first.columns if name not in second.columns)
    path = tmp_path / "results.json"
    write_predictions([first, second], path, format="megadetector", taxonomy=tree, model="hace")
    found = json.loads(path.read_text())
    assert [image["file"] for image in found["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [len(image["detections"] or []) for image in found["images"]] == [1, 2, 0]
    assert found["images"][2] == {"file": "c.jpg", "detections": None, "failure": "truncated"}
    detection = found["images"][0]["detections"][0]
    node = str(tree.find("1f1a"))
    assert detection == {
        "category": "1",
        "conf": 0.8,
        "bbox": [0.1, 0.2, 0.3, 0.4],
        "classifications": [[node, 0.9]],
    }
    assert found["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle", "4": "bird"}
    assert found["classification_categories"][node] == "turdus merula"
    assert found["classification_category_descriptions"][node] == LINES.splitlines()[0]
    assert found["info"]["format_version"] == "1.4"
    # our own reader of such files finds the boxes again
    (tmp_path / "b.jpg").write_bytes(b"")
    rows = open_source([str(path)])
    assert "box_left" in rows.columns


def test_an_image_without_boxes_is_one_detection_of_all_of_it(tree: Taxonomy, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    rows = table(tree, [{"path": "a.jpg", "label": "3c3d", "probability": 0.5}])
    write_predictions(rows, path, format="megadetector", taxonomy=tree)
    (detection,) = json.loads(path.read_text())["images"][0]["detections"]
    assert (detection["bbox"], detection["conf"]) == ([0.0, 0.0, 1.0, 1.0], 1.0)


def test_speciesnet_predictions_are_label_lines(tree: Taxonomy, tmp_path: Path) -> None:
    rows = table(
        tree,
        [
            {"path": "a.jpg", "label": "1f1a", "probability": 0.9},
            {"path": "b.jpg", "label": None, "probability": None, "error": "truncated"},
        ],
    )
    path = tmp_path / "predictions.json"
    write_predictions(rows, path, format="speciesnet", taxonomy=tree, model="hace")
    line = LINES.splitlines()[0]
    assert json.loads(path.read_text())["predictions"] == [
        {
            "filepath": "a.jpg",
            "classifications": {"classes": [line], "scores": [0.9]},
            "prediction": line,
            "prediction_score": 0.9,
            "prediction_source": "classifier",
            "model_version": "hace",
        },
        {"filepath": "b.jpg", "failures": ["CLASSIFIER"], "error": "truncated"},
    ]
    with pytest.raises(InputError, match="one row per image"):
        write_predictions([rows[:1], rows[:1]], path, format="speciesnet", taxonomy=tree)


def test_observations_of_a_camtrap_dp(tree: Taxonomy, tmp_path: Path) -> None:
    media = {"deploymentID": "d1", "timestamp": "2026-05-30T02:57:37Z"}
    rows = table(
        tree,
        [
            {"path": "a.jpg", "mediaID": "m1", **media, "label": "1f1a", "probability": 0.9},
            {"path": "b.jpg", "mediaID": "m2", **media, "label": "3c3d", "probability": 0.8},
            {"path": "c.jpg", "mediaID": "m3", **media, "label": "4d4e", "probability": 0.7},
            {"path": "d.jpg", "mediaID": "m4", **media, "label": None, "probability": None, "error": "truncated"},
        ],
    )
    path = tmp_path / "observations.csv"
    write_predictions([rows[:2], rows[2:]], path, format="camtrap-dp", taxonomy=tree, model="hace")
    with path.open() as file:
        found = list(csv.DictReader(file))
    assert [(r["mediaID"], r["observationType"], r["scientificName"]) for r in found] == [
        ("m1", "animal", "turdus merula"),
        ("m2", "blank", ""),
        ("m3", "human", "homo sapiens"),
    ]
    assert len({r["observationID"] for r in found}) == 3
    assert found[0]["classifiedBy"] == "hace"
    assert found[0]["eventStart"] == found[0]["eventEnd"] == media["timestamp"]
    assert float(found[0]["classificationProbability"]) == 0.9
    with pytest.raises(InputError, match="the column mediaID"):
        write_predictions(rows.drop("mediaID"), path, format="camtrap-dp", taxonomy=tree)
