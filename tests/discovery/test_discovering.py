"""Classes under coarse classes: the page, the refined tree, and how they agree with the true ones."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import cladewise as cw
from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import Dataset
from cladewise.discovery.refining import refine, refine_under
from cladewise.engine import Run

COLOURS = {
    "warm/red": (200, 30, 30),
    "warm/yellow": (230, 220, 20),
    "cold/navy <b>": (10, 10, 110),
    "cold/sky": (120, 180, 240),
    "grey": (128, 128, 128),
}
TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "freeze": True,
    "epochs": 6,
    "coarse_labels": 1.0,
    "coarse_level": "1",
}


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("squares")
    random = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for number in range(10):
            noise = random.normal(0, 6, (24, 24, 3))
            Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(
                folder / label / f"{number}.png"
            )
    return datasets.from_folder(folder, seed=1)


@pytest.fixture(scope="module")
def run(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        options = {"level": "1", "embedding": 0}
        out = tmp_path_factory.mktemp("run") / "coarse"
        yield cw.train(colours, method="coarse-cross-entropy", options=options, out=out, **TINY)


def test_colours_are_found_again(run: Run, colours: Dataset) -> None:
    found = cw.discovery.discover(run, clusters="1x", progress=False)
    assert found.inside is not None
    assert found.inside.adjusted_rand > 0.9
    assert found.overall is not None
    assert found.overall.purity > 0.9
    tree = Taxonomy.read(found.folder / "taxonomy.csv")
    assert tree == found.taxonomy
    assert tree.level_names == ("level_1", "discovered")
    assert sorted(tree.path_name(node) for node in tree.leaf_nodes) == [
        *("cold/cold 1", "cold/cold 2", "grey/grey 1", "warm/warm 1", "warm/warm 2"),
    ]
    record = json.loads((found.folder / "agreement.json").read_text())
    assert (record["num_classes"], record["level"], record["split"]) == (5, "level_1", "train")
    assert record["num_images"] == len(found.index) == len(colours.indices("train"))
    sizes = np.bincount(found.nodes)
    assert sizes[tree.find("warm/warm 1")] >= sizes[tree.find("warm/warm 2")]
    again = cw.discovery.discover(run.path, clusters="1x", progress=False)
    assert again.nodes.tolist() == found.nodes.tolist()


def test_the_manifest_is_data_to_train_on(run: Run) -> None:
    found = cw.discovery.discover(run, clusters=2, progress=False)
    again = datasets.from_manifest(found.folder / "images.csv", found.folder / "taxonomy.csv")
    assert again.taxonomy == found.taxonomy
    assert sorted(again.nodes.tolist()) == sorted(found.nodes.tolist())
    assert len(again) == len(found.index)


def test_the_page_shows_every_class(run: Run) -> None:
    found = cw.discovery.discover(run, clusters="1x", examples=3, progress=False)
    text = (found.folder / "page.html").read_text()
    assert text.count('<div class="found">') == 5
    assert text.count("data:image/jpeg;base64,") == 15
    assert "navy &lt;b&gt; 100%" in re.sub(r"</?bdi>", "", text)
    assert "<b>" not in text.split("<main>")[1]
    assert "ARI 1.00" in text
    assert not re.search(r'(src|href)="https?:', text)


def test_unknown_fine_classes_are_not_told(run: Run, colours: Dataset) -> None:
    coarse = datasets.with_coarse_labels(colours, 1.0, split="train", level="1")
    found = cw.discovery.discover(run, data=coarse, clusters=2, progress=False)
    assert found.inside is None
    text = (found.folder / "page.html").read_text()
    assert "Agreement inside" not in text
    mixed = np.where(np.arange(len(colours)) == colours.indices("train")[0], 0, colours.nodes)
    one_above = cw.discovery.discover(run, data=dataclasses.replace(colours, nodes=mixed), clusters=2, progress=False)
    assert len(one_above.index) == len(colours.indices("train")) - 1
    assert "1 image labelled above the coarse classes is left out" in (one_above.folder / "page.html").read_text()


def test_the_tree_is_refined_at_any_depth() -> None:
    tree = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f",), ("g", "", "h")])
    coarse = np.repeat(tree.level_nodes(2), 2)
    refined, nodes = refine(tree, 2, coarse, np.arange(coarse.size))
    names = [refined.path_name(node) for node in nodes]
    assert names[:2] == ["a/b/b 1", "a/b/b 2"]
    assert refined.is_leaf[nodes].all()
    assert refined.num_leaves == coarse.size
    for node, parent in zip(nodes.tolist(), coarse.tolist(), strict=True):
        assert refined.path_names(int(refined.parents[node])) == tree.path_names(parent)
    rooted = Taxonomy.from_parents([-1, 0, 0, 1], ["thing", "animal", "plant", "dog"])
    refined, nodes = refine(rooted, 1, np.array([1, 1, 3]), np.array([0, 1, 2]))
    assert refined.path_name(int(nodes[0])) == "thing/animal/animal 1"
    assert not refined.synthetic_root


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"clusters": "many"}, "clusters as a factor like 2x"),
        ({"clusters": 0}, "at least one cluster, but got 0"),
        ({"level": "genus"}, "levels among 1 to 2"),
        ({"level": "1,2"}, "one level, but got '1,2'"),
        ({"split": "nowhere"}, "a split of"),
    ],
)
def test_mistakes(run: Run, wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        cw.discovery.discover(run, progress=False, **wrong)


def test_a_run_of_fine_classes_has_to_be_told_the_level(run: Run, tmp_path: Path) -> None:
    settings = {**TINY, "coarse_labels": 0.0, "coarse_level": "", "epochs": 0}
    fine = cw.train(run.dataset, method="flat-softmax", out=tmp_path / "fine", **settings)
    with pytest.raises(InputError, match=r"the level of the coarse classes, but got a run of the finest one.*level="):
        cw.discovery.discover(fine, progress=False)
    assert len(cw.discovery.discover(fine, level="level_1", clusters=1, progress=False).taxonomy.leaf_nodes) == 3


def test_further_parents_among_kept_nodes_stay() -> None:
    names = ["food", "fruit", "fig", "vegetable", "tomato"]
    tree = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1), (3, 1)])
    refined, _ = refine(tree, 1, np.array([1, 3]), np.array([0, 1]))
    named = [tuple(refined.path_name(v) for v in edge) for edge in refined.further_parents.tolist()]
    assert named == [("food/vegetable", "food/fruit")]


def test_images_that_a_table_calls_new_are_clustered_under_their_answers(run: Run, tmp_path: Path) -> None:
    data, tree = run.dataset, run.taxonomy
    rows = np.flatnonzero(np.isin(data.nodes, [tree.find("warm/red"), tree.find("warm/yellow"), tree.find("grey")]))
    answers = np.where(data.nodes[rows] == tree.find("grey"), "root", "warm").tolist()
    paths = [str(data.root / data.paths[i]) for i in rows]
    said = pl.DataFrame({"path": [*paths, "known.png"], "label_path": [*answers, "grey"], "new": [True] * 30 + [False]})
    said.write_csv(tmp_path / "answers.csv")
    said.write_parquet(tmp_path / "answers.parquet")
    found = cw.discover(run, new_from=tmp_path / "answers.csv", clusters=2, progress=False)
    paths_found = {found.taxonomy.path_name(int(v)) for v in found.nodes}
    assert paths_found == {"warm/new warm 1", "warm/new warm 2", "new 1", "new 2"}
    assert {tree.path_name(v) for v in range(tree.num_nodes)} < {
        found.taxonomy.path_name(v) for v in range(found.taxonomy.num_nodes)
    }
    red = data.nodes[rows] == tree.find("warm/red")
    assert len(set(found.nodes[red])) == len(set(found.nodes[data.nodes[rows] == tree.find("warm/yellow")])) == 1
    images = pl.read_csv(found.folder / "images.csv")
    assert images["path"].to_list() == paths
    assert found.folder == run.folder.discovered("new")
    assert "new warm 1" in (found.folder / "page.html").read_text()
    again = cw.discover(run, new_from=tmp_path / "answers.parquet", clusters=2, progress=False)
    assert again.nodes.tolist() == found.nodes.tolist()
    trained = datasets.from_manifest(found.folder / "images.csv", found.folder / "taxonomy.csv")
    assert trained.taxonomy == found.taxonomy


def test_names_of_new_classes_are_free() -> None:
    tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "new bird 1"), ("moth",)])
    refined, nodes = refine_under(tree, np.array([1, 1, 1]), np.array([0, 1, 0]))
    assert [refined.path_name(v) for v in nodes] == ["bird/new bird 2", "bird/new bird 3"]
    assert refined.level_names == tree.level_names


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"path": ["a"], "label_path": ["warm"]}, "the columns path, label_path, new"),
        ({"path": ["a"], "label_path": ["warm"], "new": [False]}, "called new, but got none"),
        ({"path": ["a"], "label_path": ["warmth"], "new": [True]}, "warm"),
    ],
)
def test_tables_that_say_nothing_new(run: Run, tmp_path: Path, rows: dict[str, Any], told: str) -> None:
    pl.DataFrame(rows).write_csv(tmp_path / "answers.csv")
    with pytest.raises(InputError, match=told):
        cw.discover(run, new_from=tmp_path / "answers.csv", progress=False)
    with pytest.raises(InputError, match="no such file"):
        cw.discover(run, new_from=tmp_path / "nothing.csv", progress=False)
    with pytest.raises(InputError, match="data and a level"):
        cw.discover(run, new_from=tmp_path / "answers.csv", level=1, progress=False)
