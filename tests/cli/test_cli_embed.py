"""``cladewise embed taxonomy``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.conftest import Shell

FILES = (
    *("config.toml", "embedding.safetensors", "log.jsonl", "picture.png"),
    *("picture.svg", "results.json", "taxonomy.csv"),
)


@pytest.mark.slow
def test_embed(shell: Shell) -> None:
    table = "class,order,family\nbird,owl,barn owl\nbird,owl,true owl\nbird,passerine,wren\nfish,shark,\n"
    (shell.folder / "labels.csv").write_text(table)
    words = ("embed", "taxonomy", "labels.csv", "--geometry", "euclidean", "--dim", "2", "--epochs", "20")
    words = (*words, "--closure", "0.5", "--negatives", "uniform", "--out", "runs/labels")
    done = shell(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "runs/labels: embedded. The picture is runs/labels/picture.png"
    assert done.stdout.split()[0] == "pairs"
    folder = shell.folder / "runs/labels"
    assert tuple(sorted(file.name for file in folder.iterdir())) == FILES
    assert 'geometry = "euclidean"' in (folder / "config.toml").read_text()
    assert json.loads((folder / "results.json").read_text())["num_labels"] == 8
    assert shell(*words).stdout == done.stdout
    other = shell(*words, "--dim", "3")
    assert other.returncode == 2
    assert "cladewise: Expected runs/labels to be free or to hold this very embedding" in other.stderr


def test_a_tree_of_one_level(shell: Shell, here: Any) -> None:
    (shell.folder / "flat.csv").write_text("class\nbird\nfish\n")
    code, _, err = here("embed", "taxonomy", "flat.csv", "--out", "runs/flat")
    assert code == 2
    assert err.startswith("cladewise: Expected a taxonomy with an edge between two labels")
    assert not (shell.folder / "runs/flat").exists()
