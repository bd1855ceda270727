"""Hypernym tables: every cell is the score of an embedding with its settings, and a second call trains nothing."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from pathlib import Path

import pytest

from cladewise import InputError, Taxonomy
from cladewise.embeddings import embed
from cladewise.embeddings.vector_training import VectorTraining
from cladewise.records import EmbeddingFolder, read_results
from cladewise.suites.hypernym_entries import HypernymEntry, check_hypernyms
from cladewise.suites.hypernym_trees import subtree, tree_of
from cladewise.suites.hypernyms import write_hypernym_table

TREE = Taxonomy.from_paths([*itertools.product("ab", "cd", "efg", "h"), ("i", "j")])
ENTRY = HypernymEntry(
    name="hypernyms",
    title="Hypernyms",
    tree="letters",
    geometries=("order", "euclidean:aperture=0.2"),
    dims=(3,),
    margins=("1", "0.1,1"),
    closures=(0.0, 0.5),
    columns=("hypernym_f1", "reconstruction_f1", "reconstruction_tpr"),
    epochs=3,
)


def test_every_cell_is_an_embedding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markdown, table = write_hypernym_table(tmp_path, ENTRY, TREE, seeds=2)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["embedding"] for row in rows] == [
        f"{geometry}, 3 dimensions, {margin}" for geometry in ENTRY.geometries for margin in ("margin 1", "best margin")
    ]
    found = []
    for seed in range(2):
        out = tmp_path / f"own-{seed}"
        embed(TREE, geometry="euclidean:aperture=0.2", dim=3, closure=0.5, epochs=3, seed=seed, out=out, progress=False)
        found.append(read_results(EmbeddingFolder(out)))
    for column, (pairs, name) in {
        "hypernym_f1/0.5": ("test", "f1"),
        "reconstruction_f1/0.5": ("reconstruction", "f1"),
        "reconstruction_tpr/0.5": ("reconstruction", "recall"),
    }.items():
        assert float(rows[2][column]) == pytest.approx(sum(each[pairs][name] for each in found) / 2)
        assert rows[2][f"{column}_seeds"] == "2"
    before = markdown.read_text(), table.read_text()
    assert "| order, 3 dimensions, margin 1 |" in before[0]
    assert "F1, 0% | F1, 50% | Full F1, 0%" in before[0]
    monkeypatch.setattr(VectorTraining, "run_epoch", None)
    again = write_hypernym_table(tmp_path, ENTRY, TREE, seeds=2)
    assert tuple(path.read_text() for path in again) == before


def test_trees_by_name_by_path_and_in_part(tmp_path: Path) -> None:
    TREE.write(tmp_path / "letters.csv")
    assert tree_of(dataclasses.replace(ENTRY, path=str(tmp_path / "letters.csv"))) == TREE
    part = subtree(TREE, "a")
    assert part.names.tolist() == ["", "a", *(TREE.names[2 : TREE.end[1]].tolist())]
    assert (part.parents[2:] == TREE.parents[2 : TREE.end[1]]).all()
    with pytest.raises(InputError, match=r"Expected the tree letters, but got no path at hypernyms\. Pass data="):
        tree_of(ENTRY)
    with pytest.raises(InputError, match="Expected a label of the tree, but got 'z' at under"):
        subtree(TREE, "z")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"geometries": ("flat",)}, "Expected a geometry: euclidean, hyperbolic, order, but got 'flat'"),
        ({"columns": ("hypernym_f2",)}, "Did you mean hypernym_f1"),
        ({"closures": (1.5,)}, "Expected shares of the closure from 0 to 1, but got 1.5 at closures"),
        ({"margins": ("1,x",)}, "Expected margins as numbers, several with commas, but got '1,x' at margins"),
        ({"epochs": 0}, "Expected at least 1, but got 0 at epochs"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        check_hypernyms(HypernymEntry(**{**vars(ENTRY), **wrong}))  # type: ignore[arg-type]
