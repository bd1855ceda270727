"""Copies of runs for others: they predict the same bits, and tell nothing of the machine or the images."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import safetensors.torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import Run, engine
from cladewise.datasets import Dataset, from_manifest
from cladewise.errors import InputError
from cladewise.hub import share
from cladewise.hub.places import Places


def texts_of(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes().decode("utf-8", errors="replace")
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def some_images(run: Run) -> list[str]:
    return [str(run.dataset.root / path) for path in run.dataset.paths[::9]]


def log_probs(run: Run, images: list[str]) -> pl.DataFrame:
    return engine.predict(run, images, progress=False).to_frame()


def test_a_copy_predicts_the_same_bits(run_folder: Path, tmp_path: Path) -> None:
    run = Run.open(run_folder)
    copy = share(run, tmp_path / "copy")
    again = Run.open(copy.path)
    images = some_images(run)
    assert log_probs(again, images).equals(log_probs(run, images))
    for decision in ("majority", "hedging:guarantee=0.8"):
        mine = engine.predict(run, images, decision=decision, progress=False).to_frame()
        theirs = engine.predict(again, images, decision=decision, progress=False).to_frame()
        assert theirs.equals(mine), decision
    assert again.model_hash == run.model_hash
    assert again.taxonomy == run.taxonomy


def test_a_copy_tells_nothing_of_the_machine_or_the_images(run_folder: Path, tmp_path: Path) -> None:
    run = Run.open(run_folder)
    root, names = str(run.dataset.root), [Path(path).name for path in run.dataset.paths]
    evaluation = next((run_folder / "evaluations").glob("*leaf.json"))
    content = json.loads(evaluation.read_text())
    content["warnings"] = [f"the file {root}/warm/red/3.png is odd"]
    content["rules"]["inference"] = "subset:allowed=/home/jane doe/lists/region.txt"
    evaluation.write_text(json.dumps(content))
    copy = share(run, tmp_path / "copy")
    for name, text in texts_of(copy.path).items():
        for secret in (root, str(tmp_path), str(Path.home()) + "/", "/home/jane", "warm/red/3.png", "broken.png"):
            assert secret not in text, (name, secret)
    assert len(names) > 50
    assert not list(copy.path.rglob("*.parquet"))
    assert {event["event"] for event in map(json.loads, (copy.path / "log.jsonl").read_text().splitlines())} == {
        "epoch"
    }
    config = tomllib.loads((copy.path / "config.toml").read_text())
    assert config["data"]["path"] == config["images"]["name"]
    assert "root" not in config["images"]
    reasons = {name: reason for name, reason in copy.left_out.items() if name.startswith("predictions/")}
    assert set(reasons.values()) == {"names of images"}


def test_with_scores_others_fit_evaluate_and_compare(run_folder: Path, tmp_path: Path) -> None:
    from cladewise.report import compare

    run = Run.open(run_folder)
    copy = share(run, tmp_path / "copy", scores=True)
    for name in texts_of(copy.path):
        assert not name.endswith(".ckpt")
    for table in copy.path.rglob("*.parquet"):
        paths = pl.read_parquet(table)["path"].to_list()
        assert all(path.partition("/")[0] in ("train", "val", "test") and path[-1].isdigit() for path in paths), table
    with pytest.warns(match="cannot be opened"):
        theirs = engine.evaluate(copy.path, decision="hedging:guarantee=0.7", progress=False)
    mine = engine.evaluate(run, decision="hedging:guarantee=0.7", progress=False)
    assert theirs.metrics.keys() == mine.metrics.keys()
    for name, interval in mine.metrics.items():
        assert theirs.metrics[name].value == pytest.approx(interval.value, nan_ok=True, abs=0), name
    assert compare([copy.path], tmp_path / "report.html", decision="majority").is_file()


def test_data_of_a_manifest_with_corrections_is_found_in_the_working_folder(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with the data's name, the manifest and the corrections in it; without it, a message that says so."""
    place = tmp_path / "jane doe"
    place.mkdir()
    label = colours.taxonomy.path_name
    rows = [(str(colours.root / path), label(int(v))) for path, v in zip(colours.paths, colours.nodes, strict=True)]
    of = {int(image): name for name, images in colours.splits.items() for image in images}
    splits = [of.get(i, "") for i in range(len(colours.paths))]
    table = pl.DataFrame(rows, schema=["path", "label"], orient="row").with_columns(split=pl.Series(splits))
    table.write_csv(place / "list.csv")
    corrected, other = int(colours.splits["train"][0]), int(colours.nodes.max())
    fixed = pl.DataFrame({"path": [rows[corrected][0]], "label": [label(other)]})
    fixed.write_csv(place / "fixed.csv")
    run = engine.train(
        from_manifest(place / "list.csv", colours.taxonomy),
        corrections=place / "fixed.csv",
        method="flat-softmax",
        freeze=True,
        epochs=1,
        backbone="test_resnet",
        pretrained=False,
        image_size=24,
        workers=0,
        out=tmp_path / "run",
        progress=False,
    )
    copy = share(run, tmp_path / "copy")
    assert "jane doe" not in "".join(texts_of(copy.path).values())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.chdir(theirs)
    with pytest.raises(InputError, match=r"the data of the run, but got none at .*list/list\.csv.*without their data"):
        _ = Run.open(copy.path).dataset
    assert Run.open(copy.path).dataset_if_there is None
    (theirs / "list").mkdir()
    shutil.copy(place / "list.csv", "list")
    with pytest.raises(InputError, match=r"the table of corrections .*but got no such file at list/fixed\.csv"):
        _ = Run.open(copy.path).dataset
    shutil.copy(place / "fixed.csv", "list")
    found = Run.open(copy.path).dataset
    assert found.nodes.tolist() == run.dataset.nodes.tolist()
    assert int(found.nodes[corrected]) == other


def test_with_images_the_tables_are_as_they_were(run_folder: Path, tmp_path: Path) -> None:
    copy = share(run_folder, tmp_path / "copy", scores=True, images=True)
    tables = sorted(file.relative_to(run_folder) for file in run_folder.rglob("evaluations/*.parquet"))
    assert len(tables) == 3
    for table in tables:
        assert (copy.path / table).read_bytes() == (run_folder / table).read_bytes()
    assert copy.left_out == {}


def test_evaluations_of_other_weights_are_left_out(run_folder: Path, tmp_path: Path) -> None:
    evaluation = next((run_folder / "evaluations").glob("*leaf.json"))
    content = json.loads(evaluation.read_text())
    evaluation.write_text(json.dumps({**content, "model": "0" * 64}))
    copy = share(run_folder, tmp_path / "copy")
    assert copy.left_out[f"evaluations/{evaluation.name}"] == "of other weights"
    assert not (copy.path / "evaluations" / evaluation.name).exists()
    assert "0" * 64 not in (copy.path / "README.md").read_text()


def test_rules_fitted_with_files_of_this_machine_are_left_out(run_folder: Path, tmp_path: Path) -> None:
    fitted = next((run_folder / "fitted").glob("*.safetensors"))
    with safetensors.safe_open(str(fitted), framework="pt") as content:
        about = dict(content.metadata())
    tensors = safetensors.torch.load_file(fitted)
    odd = fitted.with_name("val-subset-hedging.safetensors")
    safetensors.torch.save_file(tensors, odd, metadata={**about, "before": "subset:allowed=/home/jane/region.txt"})
    copy = share(run_folder, tmp_path / "copy")
    assert copy.left_out[f"fitted/{odd.name}"] == "names files of this machine"
    assert (copy.path / "fitted" / fitted.name).is_file()


def test_weights_of_a_frozen_encoder_from_a_file_go_along(
    trained: Callable[..., Run], colours: object, tmp_path: Path
) -> None:
    start = trained(method="hxe", freeze=True, epochs=10)
    weights = tmp_path / "jane" / "weights.safetensors"
    weights.parent.mkdir()
    state = {name: tensor.clone().contiguous() for name, tensor in start.backbone.encoder.state_dict().items()}
    state = {name: t * 1.5 if t.is_floating_point() and "running" not in name else t for name, t in state.items()}
    safetensors.torch.save_file(state, weights)
    run = engine.train(
        colours,
        method="hxe",
        freeze=True,
        epochs=2,
        backbone="test_resnet",
        checkpoint=str(weights),
        image_size=24,
        workers=0,
        out=tmp_path / "run",
        progress=False,
    )
    images = some_images(run)
    before = log_probs(run, images)
    copy = share(run, tmp_path / "copy")
    weights.unlink()
    assert "encoder.safetensors" in copy.files
    assert tomllib.loads((copy.path / "config.toml").read_text())["backbone"]["checkpoint"] == "encoder.safetensors"
    assert log_probs(Run.open(copy.path), images).equals(before)


def test_a_run_trained_end_to_end_carries_its_encoder(
    trained: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(method="hxe", epochs=1, lr=0.01)
    images = some_images(run)
    before = log_probs(run, images)
    changed = Path(shutil.copytree(run.path, tmp_path / "changed"))
    text = (changed / "config.toml").read_text().replace("pretrained = false", "pretrained = true")
    text = text.replace('checkpoint = ""', 'checkpoint = "/no/such/file.pth"')
    (changed / "config.toml").write_text(text)
    copy = share(changed, tmp_path / "copy")
    assert "encoder.safetensors" not in copy.files
    assert log_probs(Run.open(copy.path), images).equals(before)


def test_what_cannot_be_shared_is_refused(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="a free folder"):
        share(run_folder, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
    config = run_folder / "config.toml"
    text = config.read_text()
    config.write_text(text.replace('name = "test_resnet"', 'name = "open_clip:local-dir:/home/jane/clip"'))
    with pytest.raises(InputError, match="an encoder that others can load"):
        share(run_folder, tmp_path / "copy")
    config.write_text(text)
    (run_folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="a finished run"):
        share(run_folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@given(
    folders=st.lists(st.text("abcXYZ0_ -.", min_size=1, max_size=8).filter(lambda t: t.strip(" .") == t), min_size=2),
    before=st.sampled_from(["", "see ", "allowed=", '"', "(", "'"]),
)
def test_known_places_are_cut_from_texts(folders: list[str], before: str) -> None:
    place = "/" + "/".join(folders)
    cut = Places([place]).cut(f"{before}{place}/list.csv and Fruit/Apple of https://example.org/a/b")
    assert cut == f"{before}list.csv and Fruit/Apple of https://example.org/a/b"


def test_unknown_absolute_paths_are_cut_from_texts() -> None:
    cut = Places([]).cut
    assert cut("no file at /srv/data/x.csv.") == "no file at x.csv."
    assert cut(r"C:\Users\Jane\x.csv") == "x.csv"
    assert cut("~/secret/birds/x.csv") == "x.csv"
    assert cut("hf://jane/birds, s3://b/c/d, 3/4, a/b/c") == "hf://jane/birds, s3://b/c/d, 3/4, a/b/c"
