"""Predictions that FiftyOne itself loads, and corrections in the files that it writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cladewise import datasets
from cladewise.interchange import read_corrected_labels, write_predictions
from interchange.test_corrected_labels import PATHS, TABLE, TREE

SAMPLES = Path(__file__).parent / "fiftyone_samples"
CORRECTED = {"a.png": "bird/wren", "b.png": "machine/crane", "d.png": "machine/crane"}


def check(folder: Path, images: Path) -> None:
    """Both forms have the corrections, and are data to train on."""
    for form in ("dataset.json", "export"):
        found = read_corrected_labels(folder / form, TREE, root=images)
        assert {Path(path).name: label for path, label in found.table().rows()} == CORRECTED, form
        assert [skip.reason for skip in found.skipped] == ["a prediction that nobody checked"], form
        photos = datasets.from_export(folder / form, TREE, root=images)
        labels = {path: PATHS[node] for path, node in zip(photos.paths, photos.nodes.tolist(), strict=True)}
        assert labels == CORRECTED, form


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in "abcd":
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / f"{name}.png")
    return tmp_path / "images"


def test_files_that_fiftyone_wrote_are_read(images: Path) -> None:
    check(SAMPLES, images)


@pytest.mark.slow
def test_fiftyone_loads_the_predictions_and_writes_the_corrections(tmp_path: Path, images: Path) -> None:
    python = os.environ.get("CLADEWISE_FIFTYONE_PYTHON") or shutil.which("fiftyone-python")
    if not python:
        pytest.skip("needs CLADEWISE_FIFTYONE_PYTHON, an interpreter with fiftyone and MongoDB")
    write_predictions(TABLE, tmp_path / "predictions.json", format="fiftyone", taxonomy=TREE)
    command = [python, str(SAMPLES / "make.py"), str(tmp_path / "predictions.json"), str(tmp_path), str(images)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    seen: dict[str, Any] = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{")))
    assert seen["labels"] == {"a.png": "bird/crane", "b.png": "machine/crane", "c.png": "bird", "d.png": None}
    assert seen["confidences"] == {"a.png": 0.75, "b.png": 0.5, "c.png": 0.9, "d.png": None}
    assert {"prediction", "further", "error", *TREE.level_names} <= set(seen["fields"])
    assert seen["classes"] == [PATHS[node] for node in range(1, TREE.num_nodes)]
    assert seen["further"] == ["bird/wren"]
    assert seen["error"] == "truncated"
    check(tmp_path, images)
