"""Stored scores hold for the images and labels that they were made from, and for no others."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import cladewise as cw
from cladewise import InputError, datasets, episodes
from cladewise.engine import Run, predict
from cladewise.engine.answering import scoring
from cladewise.engine.answering.folding import out_of_fold
from cladewise.engine.digests import images_digest, labels_digest
from cladewise.errors import InputWarning

SETTINGS: dict[str, Any] = {
    "method": "flat-softmax",
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "freeze": True,
    "epochs": 1,
    "lr": 0.05,
    "progress": False,
}


LABELS = ("warm/red", "cold/green", "grey")


class Photos:
    """A manifest of a few photographs that can be corrected, and a run trained on it."""

    def __init__(self, folder: Path, colours: Path) -> None:
        self.folder = folder
        for label in LABELS:
            shutil.copytree(colours / label, folder / "photos" / label)
        self.table, self.photos = folder / "photos.csv", folder / "photos"
        rows = [
            {"path": f"{label}/{number}.png", "label": label.split("/")[-1], "split": split}
            for label in LABELS
            for number, split in enumerate(["train"] * 6 + ["val"] * 2 + ["test"] * 3)
        ]
        self.rows = pl.DataFrame(rows)
        self.write(self.rows)
        tree = cw.Taxonomy.from_paths([("warm", "red"), ("cold", "green"), ("grey",)])
        tree.write(folder / "tree.csv")
        self.tree = folder / "tree.csv"
        self.run = cw.train(self.open(), out=folder / "run", **SETTINGS)

    def open(self) -> datasets.Dataset:
        return datasets.from_manifest(self.table, self.tree, root=self.photos)

    def write(self, rows: pl.DataFrame) -> None:
        rows.write_csv(self.table)

    def correct(self) -> None:
        """Another label for one image of the test split."""
        at = (pl.col("split") == "test") & (pl.col("path") == "grey/10.png")
        self.write(self.rows.with_columns(label=pl.when(at).then(pl.lit("red")).otherwise("label")))


@pytest.fixture(scope="module")
def trained_on_photos(tmp_path_factory: pytest.TempPathFactory, colour_folder: Path) -> tuple[Photos, Path]:
    """Photographs with a run, and a copy of their folder to restore it from."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "work").mkdir()
    photos = Photos(folder / "work", colour_folder)
    return photos, shutil.copytree(folder / "work", folder / "untouched")


@pytest.fixture
def photos(trained_on_photos: tuple[Photos, Path]) -> Photos:
    """The photographs as they were trained on; the folder has the same path in every test, since a run records it."""
    photos, untouched = trained_on_photos
    shutil.rmtree(photos.folder)
    shutil.copytree(untouched, photos.folder)  # with the times of the files, by which changed images are found
    photos.run = Run.open(photos.run.path)
    return photos


def evaluate(photos: Photos, **options: Any) -> cw.Evaluation:
    return cw.evaluate(photos.run, progress=False, **options)


def same(first: cw.Evaluation, second: cw.Evaluation) -> bool:
    return repr(first.metrics) == repr(second.metrics)  # of which some are NaN


def targets(photos: Photos) -> list[int]:
    return pl.read_parquet(photos.run.folder.predictions("test"))["target"].to_list()


def test_what_did_not_change_is_not_scored_again(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(photos)
    monkeypatch.setattr(scoring, "predict_rows", None)
    assert same(evaluate(photos), first)
    moved = photos.photos.with_name("moved")
    photos.photos.rename(moved)  # as a whole, times and sizes with it
    moved.rename(photos.photos)
    assert evaluate(photos, decision="threshold:threshold=0.5").num_images == first.num_images


def test_a_corrected_label_counts(photos: Photos) -> None:
    before, labels = evaluate(photos), None
    labels = targets(photos)
    photos.correct()
    with pytest.warns(InputWarning, match="images or labels of test changed since it was last scored") as caught:
        after = evaluate(photos)
    assert not [each for each in caught if "trained on" in str(each.message)]  # since the manifest fixes the splits
    assert sum(a != b for a, b in zip(labels, targets(photos), strict=True)) == 1
    assert after.top1 != before.top1


def test_scores_have_the_further_columns_of_their_table(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.write(photos.rows.with_columns(scene=pl.col("path").str.replace_all("/", " ")))
    run, size = Run.open(photos.run.path), scoring.LARGEST_KEPT
    for largest in (size, size, 0, 0):  # computed, read; streamed, and streamed again
        if largest == 0 and scoring.LARGEST_KEPT:
            monkeypatch.setattr(scoring, "LARGEST_KEPT", 0)
            shutil.rmtree(run.folder.path / "scores")
        seen = scoring.scored(run.reopened(), "test", progress=False)
        assert seen.columns is not None
        assert seen.columns["scene"].to_list() == [path.replace("/", " ") for path in seen.paths]
    folds = out_of_fold(run, 2, progress=False)
    assert folds.columns is not None
    assert folds.columns["scene"].to_list() == [path.replace("/", " ") for path in folds.paths]


def test_splits_that_are_drawn_anew_are_told(tmp_path: Path, colour_folder: Path) -> None:
    shutil.copytree(colour_folder, tmp_path / "photos")
    first, corrected = (tmp_path / "photos" / name for name in ("warm/red/0.png", "grey/red.png"))
    run = cw.train(datasets.from_folder(tmp_path / "photos"), out=tmp_path / "run", **SETTINGS)
    told = "of photos have changed since training, so its random splits are different: test may contain images"
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        before = cw.evaluate(run, progress=False)
    first.rename(corrected)
    with pytest.warns(InputWarning, match=told):
        cw.evaluate(run, progress=False)
    corrected.rename(first)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        assert repr(cw.evaluate(run, progress=False).metrics) == repr(before.metrics)
    assert not [each for each in caught if "trained on" in str(each.message)]


def test_images_that_were_added_or_removed_count(photos: Photos) -> None:
    before = evaluate(photos).num_images
    photos.write(photos.rows.filter(pl.col("path") != "grey/10.png"))
    assert evaluate(photos).num_images == before - 1
    added = pl.DataFrame({"path": ["grey/11.png"], "label": ["grey"], "split": ["test"]})
    photos.write(pl.concat([photos.rows, added]))
    assert evaluate(photos).num_images == before + 1


@pytest.mark.parametrize("same_size", [False, True])
def test_an_image_that_was_replaced_counts(photos: Photos, same_size: bool) -> None:
    evaluate(photos)
    before = pl.read_parquet(photos.run.folder.predictions("test"))
    file = photos.photos / "grey" / "10.png"
    if same_size:  # another picture of the very size, by its time alone
        size, time = file.stat().st_size, file.stat().st_mtime_ns
        content = (photos.photos / "warm" / "red" / "0.png").read_bytes()
        file.write_bytes(content + bytes(max(0, size - len(content))))
        os.utime(file, ns=(time, time + 1_000_000_000))
    else:
        Image.new("RGB", (24, 24), (250, 10, 10)).save(file)
    evaluate(photos)
    after = pl.read_parquet(photos.run.folder.predictions("test"))
    assert before["path"].equals(after["path"])
    changed = [a != b for a, b in zip(before["top_log_probs"].to_list(), after["top_log_probs"].to_list(), strict=True)]
    assert [p for p, c in zip(before["path"].to_list(), changed, strict=True) if c] == ["grey/10.png"]


def test_other_data_leaves_no_scores_that_pass_for_the_runs_own(photos: Photos) -> None:
    before = evaluate(photos)
    dataset = photos.open()
    fewer = datasets.Dataset(
        dataset.name,
        dataset.taxonomy,
        dataset.root,
        dataset.paths,
        dataset.nodes,
        {**dataset.splits, "test": dataset.indices("test")[:4]},
    )
    assert evaluate(photos, data=fewer).num_images == 4
    assert same(evaluate(photos), before)


def test_rules_learn_again_from_corrected_labels(photos: Photos) -> None:
    rule = "hedging:guarantee=0.6"
    evaluate(photos, decision=rule)
    (fitted,) = photos.run.folder.path.glob("fitted/*.safetensors")
    before = fitted.read_bytes()
    evaluate(photos, decision=rule)
    assert fitted.read_bytes() == before
    at = pl.col("split") == "val"
    photos.write(photos.rows.with_columns(label=pl.when(at).then(pl.lit("red")).otherwise("label")))
    evaluate(photos, decision=rule)
    assert fitted.read_bytes() != before


def test_few_shot_results_are_of_these_labels(photos: Photos) -> None:
    options: dict[str, Any] = {"ways": 2, "episodes": 4, "queries": 2, "support_views": 0, "reuse": True}
    first = episodes.few_shot(photos.run, progress=False, **options)
    assert episodes.few_shot(photos.run, progress=False, **options) == first
    photos.correct()
    assert episodes.few_shot(photos.run, progress=False, **options).data != first.data


def test_scores_without_their_data_are_used_and_told(photos: Photos) -> None:
    before = evaluate(photos)
    photos.table.unlink()
    with pytest.warns(InputWarning, match="The images of test cannot be opened, and the scores kept from before are"):
        assert same(evaluate(photos), before)
    with pytest.raises(InputError, match=r"photos\.csv"):
        evaluate(photos, split="val")


def test_scores_without_their_images_are_used_and_told(photos: Photos) -> None:
    before = evaluate(photos)
    shutil.rmtree(photos.photos)
    photos.photos.mkdir()
    with pytest.warns(InputWarning, match="The images of test cannot be opened"):
        assert same(evaluate(photos), before)


def test_data_that_is_there_and_has_another_tree_is_refused(photos: Photos) -> None:
    evaluate(photos)
    cw.Taxonomy.from_paths([("warm", "red"), ("warm", "green"), ("grey",)]).write(photos.tree)
    with pytest.raises(InputError, match="data with the taxonomy that the run was trained on"):
        evaluate(photos)


def test_scores_of_an_earlier_version_are_made_again_where_they_can_be(photos: Photos) -> None:
    before = evaluate(photos)
    scores = photos.run.folder.scores("test")
    prediction, rest, about = scoring.storage.load_prediction(scores, photos.run.own_taxonomy)
    old = {"model": about["model"], "num_skipped": about["num_skipped"]}
    content = scoring.storage.to_bytes(prediction, extra=rest, about=old)
    scores.write_bytes(content)
    photos.correct()
    assert evaluate(photos).top1 != before.top1
    scores.write_bytes(content)
    photos.table.unlink()
    with pytest.warns(InputWarning, match="cannot be opened"):
        assert evaluate(photos).num_images == before.num_images


def test_an_edited_tree_renames_nothing(photos: Photos) -> None:
    file = photos.run.folder.taxonomy
    text = file.read_text()
    for old, new in (("green", "blue"), ("red", "rot"), ("level_1", "kind")):
        file.write_text(text.replace(old, new))
        run = Run.open(photos.run.path)
        with pytest.raises(
            InputError, match=r"label tree that the weights were trained with, but got a different one in tax"
        ):
            predict(run, [photos.photos / "grey" / "0.png"], progress=False)
        with pytest.raises(InputError, match="the label tree that the weights were trained with"):
            cw.evaluate(run, progress=False)
    file.write_text(text.replace("\n", "\r\n"))  # as a spreadsheet writes it
    assert cw.evaluate(Run.open(photos.run.path), progress=False).num_images == 9


def test_a_run_of_an_earlier_version_opens(photos: Photos) -> None:
    import safetensors.torch

    tensors = safetensors.torch.load_file(photos.run.folder.model)
    safetensors.torch.save_file(tensors, photos.run.folder.model, metadata={"encoder": photos.run.header["encoder"]})
    assert cw.evaluate(Run.open(photos.run.path), progress=False).num_images == 9


def test_a_finished_run_is_not_reused_for_other_labels(photos: Photos) -> None:
    options = {**SETTINGS, "reuse": True, "out": photos.run.path}
    assert cw.train(photos.open(), **options).path == photos.run.path
    at = pl.col("path") == "grey/0.png"
    photos.write(photos.rows.with_columns(label=pl.when(at).then(pl.lit("red")).otherwise("label")))
    with pytest.raises(InputError, match="a run trained on these images and labels, but got one trained before they"):
        cw.train(photos.open(), **options)


def test_training_does_not_go_on_with_other_labels(photos: Photos) -> None:
    options = {**SETTINGS, "out": photos.run.path.with_name("second"), "checkpoint_seconds": 0.0}
    run = cw.train(photos.open(), **options)
    run.folder.model.unlink()  # as if it had been killed before the end
    at = pl.col("path") == "grey/0.png"
    photos.write(photos.rows.with_columns(label=pl.when(at).then(pl.lit("red")).otherwise("label")))
    with pytest.raises(InputError, match=r"images and labels with which training started.*last\.ckpt.*or remove"):
        cw.train(photos.open(), **options)
    shutil.rmtree(run.folder.checkpoints)
    counts = run.folder.counts.read_text()
    cw.train(photos.open(), **options)
    assert run.folder.counts.read_text() != counts


def test_a_checkpoint_of_another_run_is_refused(photos: Photos) -> None:
    first = {**SETTINGS, "out": photos.run.path.with_name("first"), "checkpoint_seconds": 0.0}
    other = {**first, "out": photos.run.path.with_name("other"), "seed": 4}
    runs = [cw.train(photos.open(), **each) for each in (first, other)]
    shutil.copy(runs[1].folder.last_checkpoint, runs[0].folder.last_checkpoint)
    runs[0].folder.model.unlink()
    with pytest.raises(InputError, match=r"a checkpoint of this run, but got one of a run that differs in seed \(4"):
        cw.train(photos.open(), **first)


def test_many_paths_make_a_digest() -> None:
    number = 100_000
    tree = cw.Taxonomy.from_paths([("a",), ("b",)])
    nodes = np.ones(number, dtype=np.int64)
    many = datasets.Dataset("many", tree, Path("nowhere"), [f"{i}.png" for i in range(number)], nodes, {})
    other = nodes.copy()
    other[-1] = 2
    every = np.arange(number)
    first = labels_digest(many, every)
    assert first != labels_digest(datasets.Dataset("many", tree, many.root, many.paths, other, {}), every)
    assert first != labels_digest(many, every[:-1])
    assert images_digest(many, every[:10]) == ""
