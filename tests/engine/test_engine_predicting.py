"""Predictions for files: a row for every input, whatever it is, and nothing held longer than needed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.torch
import torch
from PIL import Image

import cladewise as cw
from cladewise import InputError
from cladewise.datasets import Dataset, Skipped
from cladewise.decisions import LabelSets, LevelNodes, Nodes
from cladewise.engine import Run, predict
from cladewise.engine.answering.prediction_table import NO_PROBABILITY, answer_table, level_columns, whole_table
from cladewise.errors import InputWarning
from cladewise.predictions import LeafSoftmax, LevelSoftmax

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "lr": 0.05,
}
TREE = cw.Taxonomy.from_paths(
    [("bird", "wrens", "wren"), ("bird", "thrushes", "robin"), ("bird", "", "duck"), ("moth",)],
    level_names=["order", "family", "species"],
)


@pytest.fixture(scope="module")
def probe(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "probe"
    return cw.train(colours, method="hace", freeze=True, out=out, seed=1, epochs=10, optimizer="adamw", **TINY)


@pytest.fixture(scope="module")
def end_to_end(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "end-to-end"
    return cw.train(colours, method="hace", out=out, epochs=0, **{**TINY, "batch_size": 2})


@pytest.fixture
def mixed(colours: Dataset, tmp_path: Path) -> list[Path]:
    """Images among files that are none, each in the middle of the others."""
    good = [colours.root / path for path in colours.paths if "broken" not in path][:3]
    (tmp_path / "text.png").write_bytes(b"no picture")
    return [good[0], tmp_path / "gone.png", good[1], tmp_path / "text.png", good[2]]


# ------------------------------------------------------------------ rows


def test_predicting_files_gives_what_evaluating_gave(probe: Run, colours: Dataset) -> None:
    cw.evaluate(probe, split="test", progress=False)
    rows = pl.read_parquet(probe.folder.predictions("test"))
    files = [colours.root / path for path in rows["path"]]
    predicted = predict(probe, files, progress=False)
    assert predicted.node().tolist() == [nodes[0] for nodes in rows["top_nodes"]]
    frame = predicted.to_frame("majority")
    assert frame["path"].to_list() == [str(f) for f in files]
    assert frame["error"].is_null().all()
    for row in frame.iter_rows(named=True):
        steps = [row[f"level_{k}"] for k in (1, 2, 3) if row[f"level_{k}"] is not None]
        assert row["label_path"] == ("/".join(steps) or "root")


def test_row_i_is_input_i(probe: Run, mixed: list[Path]) -> None:
    predicted = predict(probe, [str(mixed[0]), *mixed[1:], mixed[0]], progress=False)
    assert predicted.paths == tuple(map(str, [*mixed, mixed[0]]))
    assert predicted.index.tolist() == [0, 2, 4, 5]
    assert [error is None for error in predicted.errors] == [True, False, True, False, True, True]
    assert predicted.skipped == (
        Skipped(str(mixed[1]), "no such file"),
        Skipped(str(mixed[3]), "not an image of a known format (it begins with b'no picture')"),
    )
    alone = predict(probe, [mixed[2]], progress=False)
    assert predicted.node("leaf")[[1, 3]].tolist() == [-1, -1]
    assert predicted.node("leaf")[2] == alone.node("leaf")[0]
    assert predicted.log_prob.isnan().all(1).tolist() == [False, True, False, True, False, False]
    torch.testing.assert_close(predicted.log_prob[2], alone.log_prob[0])
    assert torch.equal(predicted.log_prob[0], predicted.log_prob[5])
    for rule in ("leaf", "majority", "levels"):
        frame = predicted.to_frame(rule)
        assert frame["path"].to_list() == list(predicted.paths)
        assert frame["error"].to_list() == list(predicted.errors)
        told = frame.drop("path", "error")
        assert told.filter(frame["error"].is_not_null()).select(pl.all().is_null().all()).row(0) == (True,) * told.width
        assert told.row(0) == told.row(5)


def test_nothing_readable_is_a_table_of_errors(probe: Run, mixed: list[Path]) -> None:
    predicted = predict(probe, mixed[1:2], progress=False)
    for rule in ("leaf", "levels"):
        whole = predict(probe, mixed, progress=False).to_frame(rule)
        frame = predicted.to_frame(rule)
        assert frame.schema == whole.schema
        assert frame["error"].to_list() == ["no such file"]
    assert predict(probe, [], progress=False).to_frame().height == 0


def test_one_path_is_not_a_list_of_letters(probe: Run, mixed: list[Path]) -> None:
    for one in (str(mixed[0]), mixed[0]):
        with pytest.raises(InputError, match=r"a list of image files, but got the single path '.*'\. Pass a list"):
            predict(probe, one, progress=False)  # type: ignore[arg-type]


def test_the_decision_is_checked_and_fitted_before_the_images_are_read(probe: Run, mixed: list[Path]) -> None:
    predicted = predict(probe, mixed, decision="majority", progress=False)
    assert predicted.to_frame().equals(predict(probe, mixed, progress=False).to_frame("majority"))
    with pytest.raises(InputError, match="Did you mean majority"):
        predict(probe, mixed, decision="majorty", progress=False)
    learnt = predict(probe, mixed[:1], decision="leaf-or-root:guarantee=0.5", progress=False)
    kept = list((probe.path / "fitted").iterdir())
    assert any("leaf-or-root-0.5" in file.name for file in kept)
    assert learnt.to_frame().height == 1


def test_a_name_that_is_not_utf_8_costs_no_prediction(probe: Run, mixed: list[Path], tmp_path: Path) -> None:
    strange = os.path.join(tmp_path, os.fsdecode(b"caf\xe9\n.png"))
    Image.open(mixed[0]).save(strange)
    frame = predict(probe, [mixed[0], strange], progress=False).to_frame("leaf")
    assert frame["label"][0] == frame["label"][1]
    assert frame["path"][1] == f"{tmp_path}/caf\\udce9\n.png"
    frame.write_csv(tmp_path / "p.csv")
    assert pl.read_csv(tmp_path / "p.csv")["path"].to_list() == frame["path"].to_list()


# ------------------------------------------------------------------ the table


def test_one_node_has_one_probability_and_the_root_a_name() -> None:
    logits = torch.randn(200, TREE.num_leaves, generator=torch.Generator().manual_seed(0))
    nodes = torch.arange(200) % TREE.num_nodes
    frame = answer_table(Nodes(nodes, torch.zeros(200)), LeafSoftmax(TREE, logits))
    log_prob = LeafSoftmax(TREE, logits).log_prob
    assert frame["node"].to_list() == nodes.tolist()
    for row, expected in zip(frame.iter_rows(named=True), log_prob.exp().tolist(), strict=True):
        node = row["node"]
        assert row["probability"] == pytest.approx(expected[node], rel=1e-5)
        path = TREE.path_names(node)
        assert row["label_path"] == ("/".join(path) or "root")
        assert row["label"] == (path[-1] if path else "root")
        assert TREE.find(row["label_path"]) == node
        assert tuple(row[k] for k in TREE.level_names if row[k] is not None) == path
        seen = {row["label_path"]: row["probability"], row["leaf_path"]: row["leaf_probability"]}
        for step in TREE.path(node)[1:]:
            level = TREE.level_names[TREE.level[step] - 1]
            assert row[f"{level}_probability"] == seen.get(TREE.path_name(step), row[f"{level}_probability"])
            assert row[f"{level}_probability"] == pytest.approx(expected[step], rel=1e-5)
        leaf = max(TREE.leaf_nodes.tolist(), key=lambda v: expected[v])
        assert (row["leaf"], row["leaf_path"]) == (str(TREE.names[leaf]), TREE.path_name(leaf))
        assert seen[row["leaf_path"]] == row["leaf_probability"]
    duck = frame.row(int(TREE.find("duck")), named=True)
    assert (duck["order"], duck["family"], duck["species"]) == ("bird", None, "duck")
    assert duck["family_probability"] is None


def test_a_level_that_repeats_a_coarser_node_is_empty() -> None:
    moth, robin, thrushes, bird = (TREE.find(name) for name in ("moth", "robin", "thrushes", "bird"))
    nodes = torch.tensor([[moth, moth, moth], [bird, thrushes, robin], [moth, thrushes, moth]])
    width = sum(len(TREE.level_nodes(level)) for level in (1, 2, 3))
    log_prob = torch.tensor([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4], [0.3, 0.2, 0.1]]).log()
    frame = answer_table(LevelNodes(nodes, log_prob), LevelSoftmax(TREE, torch.zeros(3, width)))
    assert frame["order"].to_list() == ["moth", "bird", "moth"]
    assert frame["family_path"].to_list() == [None, "bird/thrushes", "bird/thrushes"]
    assert frame["species"].to_list() == [None, "robin", None]
    assert frame["species_probability"].to_list() == [None, pytest.approx(0.4), None]


def test_sets_of_labels_are_lists() -> None:
    chosen = torch.zeros(3, TREE.num_nodes, dtype=torch.bool)
    chosen[0, [TREE.find("bird"), TREE.find("duck")]] = True
    chosen[2, 0] = True
    prediction = LeafSoftmax(TREE, torch.zeros(3, TREE.num_leaves))
    told = answer_table(LabelSets(chosen, prediction.log_prob), prediction)
    frame = whole_table(["a", "b", "c", "d"], [None, "gone", None, None], np.array([0, 2, 3]), told)
    assert frame["labels"].to_list() == [["bird", "bird/duck"], None, [], ["root"]]
    assert frame["probabilities"].to_list() == [pytest.approx([0.75, 0.25]), None, [], pytest.approx([1.0])]
    assert frame["error"].to_list() == [None, "gone", None, None]


def test_an_answer_without_a_probability_is_an_error() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 3.0], [torch.nan] * 4])
    prediction = LeafSoftmax(TREE, logits)
    told = answer_table(cw.decisions.make("leaf")(prediction), prediction)  # type: ignore[arg-type]
    frame = whole_table(["a", "b"], [None, None], np.arange(2), told)
    assert frame["error"].to_list() == [None, NO_PROBABILITY]
    assert frame["label"].to_list() == ["moth", None]


def test_levels_named_as_other_columns_have_their_number() -> None:
    tree = cw.Taxonomy.from_paths([("a", "b", "c", "d")], level_names=["label", "leaf", "x", "x_path"])
    names = level_columns(tree)
    assert names == ["label_1", "leaf_2", "x", "x_path_4"]
    prediction = LeafSoftmax(tree, torch.zeros(1, 1))
    for rule in ("leaf", "levels"):
        frame = answer_table(cw.decisions.make(rule)(prediction), prediction)
        assert len(set(frame.columns)) == len(frame.columns)
        assert frame["x_path_4"].to_list() == ["d"]


def test_a_large_table_is_made_in_parts(probe: Run, mixed: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    predicted = predict(probe, mixed, progress=False)
    whole = predicted.to_frame("majority")
    monkeypatch.setattr("cladewise.engine.answering.predicting.CELLS_AT_ONCE", 1)
    assert predicted.to_frame("majority").equals(whole)


# ------------------------------------------------------------------ scores that are no numbers


def test_scores_that_are_not_finite_are_told(end_to_end: Run, colours: Dataset, tmp_path: Path) -> None:
    run = Run.open(end_to_end.path)
    head = run.classifier.head

    def damaged(features: torch.Tensor) -> Any:
        prediction = type(head).forward(head, features)
        return prediction.map(lambda z: torch.where(torch.arange(len(z))[:, None] == 1, torch.nan, z))

    head.forward = damaged  # type: ignore[method-assign]  # every second image, as a batch has two
    files = [colours.root / path for path in colours.paths if "broken" not in path][:5]
    with pytest.warns(InputWarning, match=r"not finite numbers for 2 of 5 images, .*: \S+\.png, \S+\.png\."):
        predicted = predict(run, files, progress=False)
    assert predicted.index.tolist() == [0, 2, 4]
    frame = predicted.to_frame("leaf")
    assert frame["error"].to_list() == [None, "an image whose scores are not finite numbers"] * 2 + [None]
    assert frame["label"].is_null().to_list() == [False, True, False, True, False]
    with pytest.warns(InputWarning, match=r"not finite numbers for \d+ of \d+ images"):
        scores = cw.evaluate(run, split="test", progress=False)
    test = len(colours.indices("test"))
    assert scores.num_images + scores.num_skipped == test
    assert scores.num_skipped >= test // 2
    assert np.isfinite(scores.top1)


def test_a_network_of_nan_alone_answers_nothing(end_to_end: Run, colours: Dataset, tmp_path: Path) -> None:
    weights = safetensors.torch.load_file(end_to_end.folder.model)
    run = Run.open(end_to_end.path)
    run.classifier.load_state_dict(
        {
            name: torch.full_like(value, torch.nan) if value.is_floating_point() else value
            for name, value in weights.items()
        }
    )
    files = [colours.root / path for path in colours.paths[:3]]
    with pytest.warns(InputWarning, match="not finite numbers for 3 of 3 images"):
        assert predict(run, files, progress=False).to_frame()["error"].is_null().sum() == 0
    with (
        pytest.warns(InputWarning, match="not finite numbers for"),
        pytest.raises(InputError, match="images to evaluate on, but got none that can be read"),
    ):
        cw.evaluate(run, split="val", progress=False)


# ------------------------------------------------------------------ what is held


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors by Linux's list of them")
@pytest.mark.parametrize("call", ["predict", "evaluate", "represent"])
def test_descriptors_do_not_grow_with_the_images(
    end_to_end: Run, colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Batches come from workers in shared memory, each tensor an open file; 600 images are 300 batches."""
    from cladewise.engine.answering.representing import represent

    monkeypatch.setattr("cladewise.engine.feeding.images.default_workers", lambda: 2)
    file = colours.root / colours.paths[0]
    paths: list[str] = []
    for number in range(600):
        paths.append(f"{number}.png")
        os.link(file, tmp_path / paths[-1])
    nodes, everything = np.full(600, colours.nodes[0]), np.arange(600)
    many = Dataset("many", colours.taxonomy, tmp_path, paths, nodes, {"test": everything})
    done, counts = threading.Event(), list[int]()

    def watch() -> None:
        while not done.wait(0.05):
            counts.append(descriptors())

    before, watcher = descriptors(), threading.Thread(target=watch)
    watcher.start()
    try:
        if call == "predict":
            found = len(predict(end_to_end, [tmp_path / path for path in paths], progress=False).index)
        elif call == "evaluate":
            found = cw.evaluate(end_to_end, split="test", data=many, progress=False).num_images
        else:
            found = len(represent(end_to_end, many, everything, progress=False).index)
    finally:
        done.set()
        watcher.join()
    assert found == 600
    assert len(counts) > 5
    assert max(counts) < before + 100
