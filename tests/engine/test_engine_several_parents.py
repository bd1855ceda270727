"""A run on labels with several parents: its folder keeps them, and its evaluation counts every ancestor."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import cladewise as cw
from cladewise import datasets
from cladewise.datasets import Dataset
from cladewise.datasets.overview import overview
from cladewise.taxonomy import Taxonomy
from shared_runs import TINY


def with_further(folder: Path, tree: Path, *edges: tuple[str, str]) -> Dataset:
    """The colours in a graph, read from an edge list."""
    colours = datasets.from_folder(folder)
    colours.taxonomy.write(tree, format="edges")
    with tree.open("a") as file:
        file.writelines(f"{child},{parent}\n" for child, parent in edges)
    return datasets.from_folder(folder, tree, taxonomy_options={"parents": "all", "roots": "join"}, seed=3)


@pytest.fixture
def graph(colour_folder: Path, tmp_path: Path) -> Dataset:
    return with_further(colour_folder, tmp_path / "tree.csv", ("green", "warm"), ("blue", "warm"))


@pytest.mark.parametrize(
    ("method", "says"),
    [("flat-softmax", "trains on the primary tree alone"), ("order-embedding", "trains on all of them")],
)
def test_a_run_keeps_them_and_says_what_it_uses(
    graph: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str, says: str
) -> None:
    settings = {**TINY, "progress": True}
    run = cw.train(graph, method=method, out=tmp_path / "run", epochs=1, freeze=True, **settings)
    captured = capsys.readouterr()
    line = f"2 labels have several parents: {method} {says}, and metrics count every ancestor"
    assert line in captured.out + captured.err
    assert run.taxonomy.further_parents.tolist() == graph.taxonomy.further_parents.tolist()
    assert Taxonomy.read(tmp_path / "run" / "taxonomy.csv") == graph.taxonomy
    cw.evaluate(run)
    (table,) = (tmp_path / "run" / "evaluations").glob("*.parquet")
    outcomes = pl.read_parquet(table)
    target, predicted = outcomes["target"].to_numpy(), outcomes["predicted"].to_numpy()
    assert outcomes["lca"].to_list() == graph.taxonomy.meet(target, predicted).tolist()
    assert (
        outcomes["correct"].to_list()
        == (graph.taxonomy.covers(target, predicted) | graph.taxonomy.covers(predicted, target)).tolist()
    )
    cw.compare([tmp_path / "run"], out=tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_an_altered_tree_has_none(graph: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {**TINY, "progress": True}
    run = cw.train(
        graph, method="order-embedding", out=tmp_path / "run", epochs=0, freeze=True, hierarchy="random", **settings
    )
    assert "order-embedding trains on the primary tree alone" in "".join(capsys.readouterr())
    assert not Taxonomy.read(tmp_path / "run" / "taxonomy.csv").has_further_parents
    assert Taxonomy.read(tmp_path / "run" / "true_taxonomy.csv") == graph.taxonomy
    assert run.taxonomy == graph.taxonomy


def test_classes_that_contain_others_are_reported(colour_folder: Path, tmp_path: Path) -> None:
    dataset = with_further(colour_folder, tmp_path / "tree.csv", ("navy", "grey"))
    (oddity,) = [text for text in overview(dataset).oddities if "further" in text]
    assert oddity == (
        "1 of 6 classes contains another through its further parents, though classes exclude each other: grey"
    )


def test_one_label_with_several_parents_is_counted_in_the_singular(
    colour_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = with_further(colour_folder, tmp_path / "tree.csv", ("green", "warm"))
    cw.train(data, method="flat-softmax", out=tmp_path / "run", epochs=1, freeze=True, **{**TINY, "progress": True})
    captured = capsys.readouterr()
    assert "1 label has several parents: flat-softmax" in captured.out + captured.err
