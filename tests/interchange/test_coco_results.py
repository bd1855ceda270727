"""Predictions as COCO results, read back by pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cladewise import Taxonomy
from cladewise.errors import InputError, InputWarning
from cladewise.interchange import scored_nodes, write_predictions

TREE = Taxonomy(
    [-1, 0, 1, 1, 0, 4],
    ["", "bird", "wren", "robin", "beetle", "ladybird"],
    columns={"id": ["", "", "17", "4", "", "9"]},
)


def quietly(work: Any, *given: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return work(*given)


def ground_truth(folder: Path) -> Path:
    images = [{"id": k, "file_name": f"{k}.jpg", "width": 200, "height": 100} for k in (3, 5, 8)]
    boxes = [(3, 17, [20, 10, 50, 25]), (5, 4, [0.3, 0.7, 99.9, 60]), (8, 9, [1, 2, 3, 4])]
    annotations = [
        {"id": n, "image_id": i, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
        for n, (i, c, b) in enumerate(boxes, 1)
    ]
    categories = [{"id": int(i), "name": n} for i, n in zip(TREE.columns["id"], TREE.names, strict=True) if i]
    path = folder / "truth.json"
    path.write_text(json.dumps({"info": {}, "images": images, "annotations": annotations, "categories": categories}))
    return path


def written(folder: Path, *tables: pl.DataFrame, taxonomy: Taxonomy = TREE) -> list[dict[str, Any]]:
    write_predictions(tables, folder / "results.json", format="coco-results", taxonomy=taxonomy)
    return json.loads((folder / "results.json").read_text())


def test_results_of_whole_images_are_loaded_by_pycocotools(tmp_path: Path) -> None:
    first = pl.DataFrame({"image_id": ["3", "5"], "node": [2, None], "probability": [0.625, None]})
    second = pl.DataFrame({"image_id": ["8"], "node": [5], "probability": [0.1]}, schema=first.schema)
    assert written(tmp_path, first, second) == [
        {"id": 1, "image_id": 3, "category_id": 17, "score": 0.625},
        {"id": 2, "image_id": 8, "category_id": 9, "score": 0.1},
    ]
    truth = quietly(COCO, str(ground_truth(tmp_path)))
    loaded = quietly(truth.loadRes, str(tmp_path / "results.json"))
    assert [loaded.anns[k]["category_id"] for k in loaded.getAnnIds(imgIds=[8])] == [9]


def test_boxes_are_in_pixels_and_evaluated_as_exact(tmp_path: Path) -> None:
    truth = quietly(COCO, str(ground_truth(tmp_path)))
    sides = ("left", "top", "width", "height")
    rows = [
        {
            "image_id": str(box["image_id"]),
            "image_width": 200.0,
            "image_height": 100.0,
            **{f"box_{s}": v / d for s, v, d in zip(sides, box["bbox"], (200, 100, 200, 100), strict=True)},
            "node": TREE.find(str(box["category_id"])),
            "probability": 0.9,
        }
        for box in truth.dataset["annotations"]
    ]
    found = written(tmp_path, pl.DataFrame(rows))
    assert [each["bbox"] for each in found] == [box["bbox"] for box in truth.dataset["annotations"]]
    evaluation = quietly(COCOeval, truth, quietly(truth.loadRes, found), "bbox")
    for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        quietly(step)
    assert evaluation.stats[0] == pytest.approx(1)
    whole = pl.DataFrame(rows).with_columns(pl.lit(None, pl.Float64).alias(f"box_{s}") for s in sides)
    assert written(tmp_path, whole)[0]["bbox"] == [0, 0, 200, 100]


def test_several_answers_per_image_are_several_results(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "top_labels": [["bird/wren", "root"], ["beetle"], None],
            "top_probabilities": [[0.5, 1.0], [0.25], None],
            "node": [2, 4, None],
            "probability": [0.5, 0.25, None],
        }
    )
    with pytest.warns(InputWarning, match="2 answers are at nodes without a category id"):
        found = written(tmp_path, table)
    assert [(each["image_id"], each["category_id"], each["score"]) for each in found] == [
        ("a", 17, 0.5),
        ("a", 18, 1.0),
        ("b", 20, 0.25),
    ]
    sets = pl.DataFrame({"labels": [["beetle", "beetle/ladybird"], []], "probabilities": [[0.9, 0.8], []]})
    assert scored_nodes(sets, TREE).rows() == [(0, 4, 0.9), (0, 5, 0.8)]


def test_a_tree_without_ids_is_numbered_by_its_nodes(tmp_path: Path) -> None:
    table = pl.DataFrame({"image_id": ["1"], "node": [2], "probability": [1.0]})
    for columns in ({}, {"id": ["", "a", "b", "c"]}, {"id": ["", "", "7", "7"]}):
        tree = Taxonomy([-1, 0, 1, 1], ["", "bird", "wren", "robin"], columns=columns)
        assert written(tmp_path, table, taxonomy=tree)[0]["category_id"] == 2, columns


def test_what_is_missing_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the column image_id"):
        written(tmp_path, pl.DataFrame({"path": ["a.jpg"], "node": [2], "probability": [0.5]}))
    with pytest.raises(InputError, match="got one node per level"):
        written(tmp_path, pl.DataFrame({"image_id": ["1"], "genus": ["a"], "genus_probability": [0.5]}))
    with pytest.raises(InputError, match="a format of predictions: "):
        write_predictions([], tmp_path / "results.json", format="coco", taxonomy=TREE)
    assert list(tmp_path.iterdir()) == []
    assert written(tmp_path) == []
