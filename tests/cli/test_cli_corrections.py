"""Predictions that are corrected in another tool and trained on, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli.conftest import TINY


@pytest.mark.parametrize("tool", ["label-studio", "fiftyone"])
def test_corrections_of_predictions_are_trained_on(here: Any, run: str, tmp_path: Path, tool: str) -> None:
    predictions = tmp_path / "predictions.json"
    code, _, err = here("predict", run, "photos/warm", "--format", tool, "--out", predictions)
    assert code == 0, err
    document = json.loads(predictions.read_text())
    if tool == "label-studio":
        for number, task in enumerate(document):
            result = {**task["predictions"][0]["result"][0], "value": {"taxonomy": [["warm", "red"]]}}
            if number < 15:
                task["annotations"] = [{"id": number, "completed_by": 1, "was_cancelled": False, "result": [result]}]
            else:
                task["annotations"] = []
        predictions.write_text(json.dumps(document))
        images = len(document)
    else:
        for sample in document["samples"][:15]:
            sample["prediction"]["label"] = "warm/red"
            sample["tags"] = ["checked"]
        predictions.write_text(json.dumps(document))
        images = len(document["samples"])
    out = tmp_path / "corrected.csv"
    words = ("corrections", predictions, "--taxonomy", run, "--root", ".")

    code, printed, err = here(*words, "--with-data", "--out", out)
    assert code == 0, err
    assert f"15 images with a label, {images - 15} without" in printed
    table = pl.read_csv(out)
    assert table.columns == ["path", "label", "split"]
    assert table.height == 40
    corrected = {
        Path(path).parts[-2]: label for path, label in table.select("path", "label").rows() if label == "warm/red"
    }
    assert set(corrected) == {"red", "orange"}

    code, _, err = here("train", out, "--taxonomy", f"{run}/taxonomy.csv", "--out", tmp_path / "again", *TINY)
    assert code == 0, err
    code, _, err = here(*words, "--out", tmp_path / "table.txt")
    assert (code, err.count("ends in .csv")) == (2, 1)


def test_an_impossible_path_is_refused_in_one_line(here: Any, run: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("path,label\nphotos/warm/red/0.png,cold/red\n")
    code, _, err = here("corrections", tmp_path / "table.csv", "--taxonomy", run, "--out", tmp_path / "out.csv")
    assert code == 2
    assert err.startswith("cladewise: Expected ")
    assert "cold/red" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()
