"""``cladewise predict`` of every kind of input: rows, columns that are passed through, and errors of rows."""

from __future__ import annotations

import io
import json
import tarfile
from io import StringIO
from pathlib import Path
from typing import Any

import av
import filelock
import numpy as np
import polars as pl
import pytest

from cladewise.scale.folder import Folder
from sources.unsteady_servers import unsteady

RED, BLUE = "photos/warm/red/1.png", "photos/cold/blue/1.png"


def write_inputs() -> None:
    red, blue = (Path(name).read_bytes() for name in (RED, BLUE))
    Path("list.csv").write_text(f"path,site\n{RED},pond\n{BLUE},\ngone.png,wood\n")
    Path("list.jsonl").write_text("".join(f'{{"path": "{name}", "n": {n}}}\n' for n, name in enumerate((RED, BLUE))))
    with tarfile.open("a.tar", "w") as tar:
        for name, content in (("1.cls", b"7"), ("1.png", red), ("2.png", blue)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    whole = Path("a.tar").read_bytes()
    Path("cut.tar").write_bytes(whole[: whole.index(b"2.png")])
    images = {"image": [{"bytes": red, "path": "1.png"}, {"bytes": b"broken", "path": None}], "label": [3, 4]}
    pl.DataFrame(images).write_parquet("images.parquet")
    box = {"category": "1", "conf": 0.9, "bbox": [0.0, 0.0, 0.5, 0.5]}
    found = [{"file": RED, "detections": [box, {**box, "conf": 0.1}]}, {"file": BLUE, "detections": []}]
    Path("boxes.json").write_text(json.dumps({"images": found, "detection_categories": {"1": "animal"}}))
    with av.open("film.avi", "w") as film:
        stream: Any = film.add_stream("mjpeg", rate=2)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        for _ in range(4):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        film.mux(stream.encode())


CASES: dict[str, tuple[list[str], dict[str, list[Any]], list[bool]]] = {
    "table": (
        ["list.csv"],
        {"path": [RED, BLUE, "gone.png"], "site": ["pond", None, "wood"]},
        [True, True, False],
    ),
    "lines": (["list.jsonl"], {"path": [RED, BLUE], "n": [0, 1]}, [True, True]),
    "archive": (["a.tar"], {"path": ["a.tar/1.png", "a.tar/2.png"], "cls": [7, None]}, [True, True]),
    "cut archive": (["cut.tar"], {"path": ["cut.tar/1.png", "cut.tar"], "key": [1, None]}, [True, False]),
    "parquet": (
        ["images.parquet"],
        {"path": ["images.parquet#0", "images.parquet#1"], "image_path": ["1.png", None]},
        [True, False],
    ),
    "boxes": (
        ["boxes.json", "--padding", "0.1"],
        {"path": [RED], "detection_confidence": [0.9], "category": ["animal"]},
        [True],
    ),
    "squares": (["boxes.json", "--square", "--box-threshold", "0"], {"path": [RED, RED]}, [True, True]),
    "video": (["film.avi", "--fps", "1"], {"path": ["film.avi#t=0", "film.avi#t=1"], "time": [0.0, 1.0]}, [True, True]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_input_is_predicted(here: Any, run: str, case: str) -> None:
    write_inputs()
    words, columns, good = CASES[case]
    code, out, err = here("predict", run, *words, "--decision", "leaf", "--quiet")
    assert code == 0, err
    frame = pl.read_csv(StringIO(out))
    for name, values in columns.items():
        assert frame[name].to_list() == values, name
    assert frame["error"].is_null().to_list() == good
    assert frame["label"].is_not_null().to_list() == good


def test_a_crop_is_another_image_than_the_whole(here: Any, run: str) -> None:
    write_inputs()
    found = {}
    for crop in ("boxes", "images"):
        code, out, err = here("predict", run, "boxes.json", "--crop", crop, "--decision", "leaf", "--quiet")
        assert code == 0, err
        found[crop] = pl.read_csv(StringIO(out))
    assert found["images"]["path"].to_list() == [RED, BLUE]
    assert found["boxes"]["probability"][0] != found["images"]["probability"][0]


def test_a_table_on_a_server_that_fails_is_predicted_whole(
    here: Any, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cladewise.sources.storage._FIRST_WAIT", 0.01)
    steps = ["ok", "503-ok", "cut-cut-ok", "404", "silent-429-ok", "cut", "403"]
    image = Path(RED).read_bytes()
    with unsteady({"a.png": image}) as server:
        rows = [f"{server.url}/{step}/a.png?{n},{n}\n" for n, step in enumerate(steps)]
        server.files["list.csv"] = "".join(["url,n\n", *rows]).encode()
        code, out, err = here("predict", run, f"{server.url}/503-ok/list.csv", "--decision", "leaf", "--quiet")
        assert code == 0, err
        code, alone, _ = here("predict", run, RED, "--decision", "leaf", "--quiet")
    frame = pl.read_csv(StringIO(out))
    assert frame["n"].to_list() == list(range(len(steps)))
    good = [step not in ("404", "cut", "403") for step in steps]
    assert frame["error"].is_null().to_list() == good
    (probability,) = pl.read_csv(StringIO(alone))["probability"]
    assert frame["probability"].drop_nulls().to_list() == pytest.approx([probability] * sum(good), rel=1e-5)
    assert [text.partition(" (")[0] for text in frame["error"].drop_nulls()] == [
        *("no such file", "an object that could not be read in 6 attempts", "a file that may not be read")
    ]


def test_storage_that_cannot_be_used_ends_the_command(here: Any, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inputs()
    Path("list.csv").write_text(f"path\n{RED}\nnonsense://bucket/a.png\n")
    code, out, err = here("predict", run, "list.csv", "--decision", "leaf", "--quiet")
    assert (code, out) == (2, "")
    assert "but got nonsense://" in err


def test_a_table_named_twice_counts_once(here: Any, run: str) -> None:
    write_inputs()
    code, out, err = here("predict", run, "list.csv", "./list.csv", "--decision", "leaf", "--quiet")
    assert code == 0, err
    assert pl.read_csv(StringIO(out))["path"].to_list() == [RED, BLUE, "gone.png"]


def test_a_line_break_in_a_name_does_not_break_the_message(here: Any, run: str) -> None:
    write_inputs()
    Path("list.csv").write_text(f'path\n{RED}\n"new\nline.png"\n')
    code, _, err = here("predict", run, "list.csv", "--decision", "leaf")
    assert code == 0, err
    assert "cladewise: new\\nline.png left out: no such file\n" in err


def test_an_earlier_prediction_is_an_input_on_its_own(here: Any, run: str) -> None:
    write_inputs()
    code, _, err = here("predict", run, RED, "--keep", "features", "--out", "kept", "--quiet")
    assert code == 0, err
    code, _, err = here("predict", run, RED, "kept")
    assert (code, "an earlier prediction on its own, but got 'kept' and" in err) == (2, True)
    code, _, err = here("predict", run, "kept", "--box-threshold", "0.5")
    assert (code, "boxes with a confidence threshold, but got an earlier prediction, 'kept'" in err) == (2, True)
    code, _, err = here("predict", run, "kept", "--fps", "2")
    assert (code, "format video with --fps, but got an earlier prediction, 'kept'" in err) == (2, True)


def test_only_what_a_prediction_wrote_is_removed_with_its_parts(here: Any, run: str) -> None:
    write_inputs()
    Path("table.csv.parts").mkdir()
    Path("table.csv.parts", "notes.txt").write_text("mine")
    for name in ("table.csv", "other.csv"):
        code, _, err = here("predict", run, RED, "--out", name, "--quiet")
        assert code == 0, err
    assert [path.name for path in Path("table.csv.parts").iterdir()] == ["notes.txt"]
    assert not Path("other.csv.parts").exists()


def test_ctrl_c_says_how_to_go_on(here: Any, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inputs()
    writing = Folder.write

    def interrupted(folder: Folder, name: str, content: bytes) -> None:
        writing(folder, name, content)
        if name.endswith("000000.parquet"):
            raise KeyboardInterrupt

    words = ("predict", run, RED, BLUE, "--part-rows", "1", "--decision", "leaf", "--quiet", "--out")
    monkeypatch.setattr(Folder, "write", interrupted)
    for out, parts in (("parts-of-two", "parts-of-two"), ("two.csv", "two.csv.parts")):
        code, _, err = here(*words, out)
        told = f"cladewise: interrupted. Repeat the command to predict the parts that are not yet in {parts}.\n"
        assert (code, err) == (130, told)
        assert [path.name for path in Path(parts, "parts").iterdir()] == ["part-000000.parquet"]
    monkeypatch.setattr(Folder, "write", writing)
    code, _, err = here(*words, "two.csv")
    assert (code, err, pl.read_csv("two.csv")["path"].to_list()) == (0, "", [RED, BLUE])


def test_a_runtime_of_the_environment_that_does_not_exist_is_named(
    here: Any, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs()
    monkeypatch.setenv("CLADEWISE_RUNTIME", "OpenVINO")
    code, _, err = here("predict", run, RED)
    assert (code, "'OpenVINO' at CLADEWISE_RUNTIME" in err) == (2, True)


def test_a_file_is_written_by_one_command_at_a_time(here: Any, run: str) -> None:
    write_inputs()
    Path("busy.csv.parts").mkdir()
    with filelock.FileLock("busy.csv.parts/lock"):
        code, _, err = here("predict", run, RED, "--out", "busy.csv", "--quiet")
        assert (code, "a file that no other command is writing" in err) == (2, True)
        assert not Path("busy.csv").exists()
    code, _, err = here("predict", run, RED, "--out", "busy.csv", "--decision", "leaf:x=1", "--quiet")
    assert code == 2
    assert not Path("busy.csv.parts").exists()
    code, _, err = here("predict", run, RED, "--out", "busy.csv", "--quiet")
    assert (code, err) == (0, "")
    assert not Path("busy.csv.parts").exists()


def test_predictions_are_written_in_the_formats_of_other_tools(here: Any, run: str) -> None:
    write_inputs()
    images = [{"id": k, "file_name": name} for k, name in enumerate((RED, "gone.png", BLUE), start=7)]
    Path("coco.json").write_text(json.dumps({"images": images}))
    words = ("predict", run, "coco.json", "--crop", "images", "--decision", "leaf", "--quiet")
    code, _, err = here(*words, "--out", "results.json", "--format", "coco-results")
    assert code == 0, err
    answers = pl.read_csv(StringIO(here(*words)[1]))
    found = json.loads(Path("results.json").read_text())
    assert [(each["image_id"], each["category_id"]) for each in found] == [
        (7, answers["node"][0]),
        (9, answers["node"][2]),
    ]
    assert [each["score"] for each in found] == pytest.approx(answers["probability"].drop_nulls().to_list(), abs=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["coco.json", "--format", "coco-results"], "--out FILE with --format coco-results"),
        (["list.csv", "--format", "coco-results", "--out", "results.json"], "the column image_id"),
        (["list.csv", "--out", "results.json"], "Or give --format csv or tsv or jsonl or parquet or coco-results or "),
        (["list.csv", "--out", "results.json", "--format", "coco"], "parquet or coco-results"),
    ],
)
def test_a_format_of_other_tools_is_refused_before_the_images_are_read(
    here: Any, run: str, words: list[str], told: str
) -> None:
    write_inputs()
    Path("results.json").unlink(missing_ok=True)
    code, _, err = here("predict", run, *words)
    assert (code, Path("results.json").exists()) == (2, False)
    assert told in err
