"""Predictions in parts: equal to those in memory, whole or absent, resumed to the same bytes after any kill."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import cladewise as cw
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.scale import Parts, Shard, predict_tables, predict_to, read_parts
from cladewise.scale.inputs import first_images
from cladewise.scale.progress import Meter
from cladewise.sources import open_source
from shared_runs import copy_of

TRIALS = int(os.environ.get("CLADEWISE_TRIALS", "40"))
"""Number of kills at random."""
Trained = Callable[..., Run]


@pytest.fixture(scope="module")
def run(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return copy_of(trained(epochs=3, freeze=True), tmp_path_factory.mktemp("scale") / "run")


@pytest.fixture(scope="module")
def table(colour_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of all images with a true label, one that is broken and one that is missing."""
    folder = tmp_path_factory.mktemp("table")
    paths = [os.path.relpath(path, colour_folder) for path in sorted(colour_folder.rglob("*.png"))]
    frame = pl.DataFrame({"path": [*paths, "gone.png"]}).with_columns(
        label=pl.col("path").str.split("/").list.get(0), site=pl.int_range(pl.len(), dtype=pl.Int16)
    )
    frame.write_parquet(folder / "list.parquet")
    return folder / "list.parquet"


@pytest.fixture
def source(table: Path, colour_folder: Path) -> Any:
    return open_source([table], root=colour_folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "parts").iterdir())}


def whole(parts: Parts) -> pl.DataFrame:
    return pl.concat(parts.tables())


def test_parts_have_the_rows_of_a_prediction_in_memory(
    run: Run, source: Any, colour_folder: Path, tmp_path: Path
) -> None:
    parts = predict_to(tmp_path / "out", run, source, part_rows=20, top=3, progress=False)
    assert parts.is_complete
    assert len(parts.numbers) == 5
    table = whole(parts)
    paths = [colour_folder / path for path in table["path"]]
    known = cw.predict(run, paths, progress=False).to_frame()
    assert table["path"].to_list()[-1] == "gone.png"
    assert table["error"].to_list() == [None if error is None else error for error in known["error"].to_list()]
    assert table["error"].is_not_null().sum() == 2
    assert table["input_label"].to_list() == [path.split("/")[0] for path in table["path"]]
    assert (table["site"].dtype, table["site"].to_list()) == (pl.Int16, list(range(table.height)))
    for name in known.columns[1:-1]:
        if known[name].dtype == pl.Float64:
            np.testing.assert_allclose(table[name].to_numpy(), known[name].to_numpy(), atol=1e-5)
        else:
            assert table[name].to_list() == known[name].to_list(), name
    for labels, probabilities, leaf, best in (
        table.select("top_labels", "top_probabilities", "leaf_path", "leaf_probability").drop_nulls().rows()
    ):
        assert len(labels) == len(probabilities) == 3
        assert probabilities == sorted(probabilities, reverse=True)
        assert (leaf, best) in zip(labels, probabilities, strict=True)
    assert parts.counts() == (table.height, 2)
    assert [name for name, _ in parts.first_errors(5)] == table.filter(pl.col("error").is_not_null())["path"].to_list()


def test_only_missing_parts_are_predicted_and_they_have_the_same_bytes(run: Run, source: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict_to(out, run, source, part_rows=7, keep=["features", "scores"], progress=False)
    before, times = contents(out), {path.name: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    lost = ["part-000002.parquet", "part-000005.parquet", "part-000005.features.safetensors"]
    for name in lost:
        (out / "parts" / name).unlink()
    (out / "parts" / "part-000003.scores.safetensors").touch()
    parts = predict_to(out, run, source, part_rows=7, keep=["features", "scores"], progress=False)
    assert parts.is_complete
    assert contents(out) == before
    again = {path.name for path in (out / "parts").iterdir() if path.stat().st_mtime_ns != times[path.name]}
    assert {name[:11] for name in again} == {"part-000002", "part-000003", "part-000005"}
    assert "part-000003.parquet" not in again


@pytest.mark.parametrize("threads", [0, 1, 5])
def test_bytes_depend_on_nothing_but_the_rows(run: Run, source: Any, tmp_path: Path, threads: int) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    predict_to(alone, run, source, part_rows=9, progress=False)
    shards = [Shard(2, 3), Shard(3, 3), Shard(1, 3)]
    found = [
        predict_to(shared, run, source, part_rows=9, threads=threads, shard=shard, progress=False) for shard in shards
    ]
    assert [parts.is_complete for parts in found] == [False, False, True]
    assert contents(shared) == contents(alone)
    tables = list(predict_tables(run, source, part_rows=9, threads=threads, progress=False))
    assert pl.concat(tables).equals(whole(read_parts(alone)))


CHILD = """
import os, signal, sys
from pathlib import Path
from cladewise import scale
from cladewise.scale import folder
from cladewise.sources import open_source
run, table, root, out, at, after = sys.argv[1:]
write, count = folder.Folder.write, 0
def dying(self, name, content):
    global count
    count += 1
    if count == int(at) and after == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, name, content)
    if count == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
    print("written", flush=True)
folder.Folder.write = dying
scale.predict_to(out, run, open_source([table], root=root), part_rows=4, keep=["features"], progress=False)
"""


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def resumed(run: Run, source: Any, out: Path) -> dict[str, bytes]:
    predict_to(out, run, source, part_rows=4, keep=["features"], progress=False)
    leftovers = [path for path in out.rglob(".*") if path.is_file()]
    assert leftovers == []
    return contents(out)


def test_a_kill_before_or_after_a_write_loses_at_most_that_part(
    run: Run, source: Any, table: Path, colour_folder: Path, tmp_path: Path
) -> None:
    predict_to(tmp_path / "whole", run, source, part_rows=4, keep=["features"], progress=False)
    undisturbed = contents(tmp_path / "whole")
    for at, after in ((6, 0), (7, 1)):  # in mid-part, between its two files; just after a part
        out = tmp_path / f"{at}-{after}"
        child = start(run.path, table, colour_folder, out, at, after)
        assert child.wait(timeout=120) == -signal.SIGKILL
        kept = contents(out)
        assert kept == {name: undisturbed[name] for name in kept}
        assert sum(name.endswith(".parquet") for name in kept) == (at - 1 - (1 - after)) // 2
        assert resumed(run, source, out) == undisturbed


def test_every_resumption_in_a_process_clears_up(run: Run, source: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = resumed(run, source, out)
    dying = (
        "import os, sys; from cladewise.atomic import replacing\nwith replacing(sys.argv[1]): os.kill(os.getpid(), 9)"
    )
    for name in ("parts/part-000001.parquet", "job.json"):
        assert subprocess.run([sys.executable, "-c", dying, str(out / name)], check=False).returncode == -signal.SIGKILL
        assert len(list((out / name).parent.glob(".*"))) == 1
    (out / "parts" / "part-000001.parquet").unlink()
    assert resumed(run, source, out) == before


def test_errors_are_found_without_reading_the_other_tables(run: Run, source: Any, tmp_path: Path) -> None:
    parts = predict_to(tmp_path / "out", run, source, part_rows=9, progress=False)
    errors = [parts.table(number)["error"].is_not_null().sum() for number in parts.numbers]
    assert sorted(set(errors)) == [0, 1]
    for number, count in zip(parts.numbers, errors, strict=True):
        if not count:  # the end stays, which holds the counts
            path = tmp_path / "out" / "parts" / f"part-{number:06d}.parquet"
            content = path.read_bytes()
            path.write_bytes(bytes(4) + content[4:])
    again = read_parts(tmp_path / "out")
    assert again.counts() == (86, 2)
    assert len(again.first_errors(9)) == 2


def test_several_encoders_have_one_precision(trained: Trained, source: Any, tmp_path: Path) -> None:
    run = trained(epochs=1, freeze=False, method="vanilla-multi")
    with pytest.raises(InputError, match="fp32 for a method with an encoder for each level, but got bf16"):
        predict_to(tmp_path / "out", run, source, precision="bf16", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kills_at_random_lose_nothing(run: Run, source: Any, table: Path, colour_folder: Path, tmp_path: Path) -> None:
    predict_to(tmp_path / "whole", run, source, part_rows=4, keep=["features"], progress=False)
    undisturbed, chance, partial = contents(tmp_path / "whole"), random.Random(0), 0
    out = tmp_path / "out"
    for trial in range(TRIALS):
        if trial % 4 == 0:
            shutil.rmtree(out, ignore_errors=True)
        child = start(run.path, table, colour_folder, out, 0, 0)
        assert child.stdout is not None
        assert child.stdout.readline() in ("written\n", "")  # it works now, however long it took to start
        time.sleep(chance.uniform(0.0, 0.3))
        child.kill()
        child.wait(timeout=120)
        kept = contents(out) if (out / "parts").is_dir() else {}
        seen = {name: content for name, content in kept.items() if not name.startswith(".")}
        assert seen == {name: undisturbed[name] for name in seen}
        partial += 0 < len(seen) < len(undisturbed)
        if trial % 4 == 3:
            assert resumed(run, source, out) == undisturbed
    assert partial > TRIALS // 10


def test_a_folder_holds_one_job(run: Run, source: Any, table: Path, colour_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict_to(out, run, source, part_rows=50, progress=False)
    before = contents(out)
    others: list[tuple[dict[str, Any], str]] = [
        ({"decision": "threshold:threshold=0.5"}, "the decision"),
        ({"inference": "bottom-up"}, "the inference"),
        ({"top": 2}, "the length of top_labels"),
        ({"keep": ["scores"]}, "what is kept"),
        ({"part_rows": 51}, "the rows per part"),
        ({"precision": "bf16", "runtime": "torch"}, "the precision"),
    ]
    for options, name in others:
        with pytest.raises(InputError, match=f"holds parts of, but got another one: .*{name}.* changed at "):
            predict_to(out, run, source, **{"part_rows": 50, "progress": False, **options})
    fewer = open_source([colour_folder / "grey"])
    with pytest.raises(InputError, match=r"the images.*changed"):
        predict_to(out, run, fewer, part_rows=50, progress=False)
    assert contents(out) == before
    (out / "job.json").write_text("{")
    with pytest.raises(InputError, match="a prediction job"):
        predict_to(out, run, source, part_rows=50, progress=False)
    entries = {"schema_version": 99}
    (out / "job.json").write_text(json.dumps(entries))
    with pytest.raises(InputError, match="schema_version 1, but got 99"):
        read_parts(out)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder to write parts to, but got a file"):
        predict_to(tmp_path / "file", run, source, progress=False)
    with pytest.raises(InputError, match="a folder to write parts to, but got a run folder"):
        predict_to(run.path, run, source, progress=False)
    with pytest.raises(InputError, match=r"no job\.json"):
        read_parts(tmp_path)
    for wrong in (
        *({"keep": ["images"]}, {"keep": "scores"}, {"top": -1}, {"top": 1.5}, {"part_rows": 0}, {"threads": -1}),
        *({"shard": "1/2"}, {"engine": "ray"}),
    ):
        with pytest.raises(InputError, match=next(iter(wrong))):
            predict_to(tmp_path / "none", run, source, progress=False, **wrong)  # type: ignore[arg-type]
    for words in (str(table), [str(table)]):
        with pytest.raises(InputError, match=r"a source of images, but got .*open_source"):
            predict_to(tmp_path / "none", run, words, progress=False)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


def test_kept_scores_answer_another_decision_exactly(run: Run, source: Any, tmp_path: Path) -> None:
    first = predict_to(tmp_path / "a", run, source, part_rows=30, keep=["scores"], progress=False)
    for decision in ("levels", "threshold:threshold=0.6"):
        kept = predict_to(tmp_path / decision, run, first, decision=decision, progress=False)
        images = predict_to(tmp_path / f"{decision} anew", run, source, decision=decision, part_rows=30, progress=False)
        assert whole(kept).equals(whole(images))
        assert contents(tmp_path / decision) == contents(tmp_path / f"{decision} anew")


def test_kept_features_answer_by_another_head(run: Run, trained: Trained, source: Any, tmp_path: Path) -> None:
    other = trained(epochs=3, freeze=True, method="vanilla-single", seed=0)
    first = predict_to(tmp_path / "a", run, source, part_rows=30, keep=["features"], progress=False)
    kept = whole(predict_to(tmp_path / "b", other, first, decision="leaf", progress=False))
    images = whole(predict_to(tmp_path / "c", other, source, decision="leaf", part_rows=30, progress=False))
    assert kept.select("path", "site", "input_label", "error").equals(
        images.select("path", "site", "input_label", "error")
    )
    np.testing.assert_allclose(kept["leaf_probability"].to_numpy(), images["leaf_probability"].to_numpy(), atol=5e-3)
    with pytest.raises(InputError, match="a prediction that kept features or scores, but got one that kept neither"):
        predict_to(tmp_path / "d", run, read_parts(tmp_path / "c"), progress=False)
    only_scores = predict_to(tmp_path / "e", run, source, part_rows=30, keep=["scores"], progress=False)
    with pytest.raises(InputError, match="scores of another run alone"):
        predict_to(tmp_path / "f", other, only_scores, progress=False)
    turned = trained(epochs=3, freeze=True, seed=1)
    with pytest.raises(InputError, match="those of another backbone"):
        predict_to(tmp_path / "g", turned, first, progress=False)
    (tmp_path / "a" / "parts" / "part-000001.parquet").unlink()
    with pytest.raises(InputError, match="a finished prediction, with 3 of 3 parts, but got 2"):
        predict_to(tmp_path / "h", run, read_parts(tmp_path / "a"), progress=False)


def test_a_part_without_what_was_kept_of_it_is_predicted_again(run: Run, source: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    keep = ["features", "scores"]
    predict_to(out, run, source, part_rows=30, keep=keep, progress=False)
    before = contents(out)
    for name in ("part-000000.scores.safetensors", "part-000002.features.safetensors"):
        (out / "parts" / name).unlink()
    assert read_parts(out).numbers == (1,)
    with pytest.raises(InputError, match="a finished prediction, with 3 of 3 parts, but got 1"):
        predict_to(tmp_path / "again", run, read_parts(out), progress=False)
    predict_to(out, run, source, part_rows=30, keep=keep, progress=False)
    assert contents(out) == before


def test_damaged_and_foreign_parts_are_named(run: Run, source: Any, tmp_path: Path) -> None:
    out, table = tmp_path / "out", "part-000000.parquet"
    predict_to(out, run, source, part_rows=30, keep=["features"], progress=False)
    before = contents(out)
    delete = r"Delete this file and repeat the command"
    (out / "parts" / table).write_bytes(b"")
    for fails in (lambda: read_parts(out).counts(), lambda: whole(read_parts(out))):
        with pytest.raises(InputError, match=f"a finished part, but got a damaged one at .*{table}. {delete}"):
            fails()
    pl.DataFrame({"path": ["a.png"]}).write_parquet(out / "parts" / table)
    with pytest.raises(InputError, match=f"a finished part, but got another Parquet file at .*{table}. {delete}"):
        read_parts(out).counts()
    (out / "parts" / table).write_bytes(before[table])
    (out / "parts" / "part-000000.features.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match=f"features in safetensors.*{delete}"):
        predict_to(tmp_path / "again", run, read_parts(out), progress=False)
    (out / "parts" / "part-000000.features.safetensors").write_bytes(before["part-000000.features.safetensors"])
    shutil.copy(out / "parts" / table, out / "parts" / "part-000007.parquet")
    shutil.copy(out / "parts" / table, out / "parts" / "part-000007.features.safetensors")
    assert read_parts(out).numbers == (0, 1, 2)


def test_parts_without_their_job_are_not_taken_for_those_of_another(run: Run, source: Any, tmp_path: Path) -> None:
    predict_to(tmp_path, run, source, part_rows=30, progress=False)
    (tmp_path / "job.json").unlink()
    with pytest.raises(InputError, match=r"job\.json, which says what the parts are of, but got parts alone"):
        predict_to(tmp_path, run, source, part_rows=30, top=2, progress=False)


def test_an_earlier_prediction_is_not_kept_again(run: Run, source: Any, tmp_path: Path) -> None:
    first = predict_to(tmp_path / "a", run, source, part_rows=30, keep=["features"], progress=False)
    with pytest.raises(InputError, match="images to keep features or scores of, but got an earlier prediction"):
        predict_to(tmp_path / "b", run, first, keep=["features"], progress=False)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("settings", [{"freeze": False}, {"freeze": False, "method": "vanilla-multi"}])
def test_networks_trained_end_to_end_predict_in_parts(
    trained: Trained, source: Any, colour_folder: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    run = trained(epochs=1, **settings)
    first = predict_to(tmp_path / "a", run, source, part_rows=40, keep=["features"], progress=False)
    table = whole(first)
    known = cw.predict(run, [colour_folder / path for path in table["path"]], progress=False).to_frame()
    probability = [name for name in table.columns if name.endswith("probability")][-1]
    np.testing.assert_allclose(table[probability].to_numpy(), known[probability].to_numpy(), atol=1e-5)
    again = whole(predict_to(tmp_path / "b", run, first, progress=False))
    np.testing.assert_allclose(table[probability].to_numpy(), again[probability].to_numpy(), atol=5e-3)


def test_archives_are_parts_of_their_own_and_empty_ones_too(run: Run, colour_folder: Path, tmp_path: Path) -> None:
    names = sorted(colour_folder.rglob("*.png"))[:30]
    for number, members in enumerate((names[:11], [], names[11:])):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as tar:
            for place, path in enumerate(members):
                tar.add(path, f"{place:03d}.png")
    source = open_source([tmp_path / "0.tar", tmp_path / "2.tar"])
    parts = predict_to(tmp_path / "out", run, source, part_rows=4, runtime="torch", progress=False)
    assert [parts.table(number).height for number in parts.numbers] == [11, 19]
    files = predict_to(tmp_path / "files", run, open_source(names), progress=False)
    assert whole(parts)["label_path"].to_list() == whole(files)["label_path"].to_list()


def test_a_box_is_predicted_as_the_image_that_it_cuts_out(run: Run, colour_folder: Path, tmp_path: Path) -> None:
    red, blue = (Image.open(next((colour_folder / label).glob("*.png"))) for label in ("warm/red", "cold/blue/navy"))
    scene = Image.new("RGB", (48, 24))
    scene.paste(red, (0, 0))
    scene.paste(blue, (24, 0))
    scene.save(tmp_path / "scene.png")
    detections = [
        {"category": "1", "conf": 0.9, "bbox": [0.0, 0.0, 0.5, 1.0]},
        {"category": "1", "conf": 0.8, "bbox": [0.5, 0.0, 0.5, 1.0]},
    ]
    content = {
        "images": [{"file": "scene.png", "detections": detections}],
        "detection_categories": {"1": "animal"},
        "info": {"format_version": "1.3"},
    }
    (tmp_path / "detections.json").write_text(json.dumps(content))
    boxes = whole(predict_to(tmp_path / "a", run, open_source([tmp_path / "detections.json"]), progress=False))
    red.save(tmp_path / "red.png")
    blue.save(tmp_path / "blue.png")
    alone = whole(
        predict_to(tmp_path / "b", run, open_source([tmp_path / "red.png", tmp_path / "blue.png"]), progress=False)
    )
    assert boxes["label_path"].to_list() == alone["label_path"].to_list()
    np.testing.assert_allclose(boxes["probability"].to_numpy(), alone["probability"].to_numpy(), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_compiled_encoder_is_checked_on_the_first_images_and_answers_as_torch(
    run: Run, source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))
    plain = whole(predict_to(tmp_path / "a", run, source, part_rows=30, runtime="torch", progress=False))
    compiled = predict_to(tmp_path / "b", run, source, part_rows=30, runtime=runtime, progress=False)
    assert compiled.job.runtime == runtime
    table = whole(compiled)
    assert table["label_path"].to_list() == plain["label_path"].to_list()
    np.testing.assert_allclose(table["probability"].to_numpy(), plain["probability"].to_numpy(), atol=1e-4)
    images = first_images(source, source.chunks(30), run.backbone.transform())
    assert images.shape[1:] == (3, 24, 24)
    assert len(images) >= 16
    again = predict_to(tmp_path / "c", run, source, part_rows=30, runtime=runtime, threads=3, progress=False)
    assert contents(tmp_path / "c") == contents(tmp_path / "b")
    assert again.job == compiled.job


def test_a_job_without_readable_images_has_all_columns(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    broken = whole(predict_to(tmp_path / "a", run, open_source([tmp_path / "broken.png"]), top=2, progress=False))
    assert broken.height == broken["error"].is_not_null().sum() == 1
    paths = [str(next(run.dataset.root.rglob("1.png")))]
    good = whole(predict_to(tmp_path / "b", run, open_source(paths), top=2, progress=False))
    assert broken.schema == good.schema


def test_progress_says_how_far_how_fast_and_how_much_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter(1_000_000)
    meter.add(250_000, 3)
    line = "predicting: 250,000 of 1,000,000 images, 500.0 images/s, about 25 min left, 3 errors"
    assert meter.text(elapsed=500.0).startswith(line)
    unknown = Meter(None, shown=False)
    unknown.add(7, 0)
    assert unknown.text(elapsed=1.0).startswith("predicting: 7 images, 7.0 images/s, 0 errors")
    assert capsys.readouterr().err == ""  # nothing in the first seconds


def test_a_shard_is_named_from_one() -> None:
    with pytest.raises(InputError, match="from 1 to n, but got 0/8"):
        Shard.parse("0/8")
    with pytest.raises(InputError, match="from 1 to n, but got 9/8"):
        Shard.parse("9/8")
    with pytest.raises(InputError, match="a shard i/n, as in 3/8, but got '3-8'"):
        Shard.parse("3-8")
    items = list(range(23))
    for of in (1, 2, 5, 40):
        shares = [Shard(number, of).select(items) for number in range(1, of + 1)]
        assert sorted(item for share in shares for item in share) == items
    assert dataclasses.astuple(Shard.parse(" 3/8 ")) == (3, 8)
