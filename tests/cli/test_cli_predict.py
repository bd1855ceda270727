"""``cladewise predict``: a table of a row for every input, in each format, as programs and spreadsheets read it."""

from __future__ import annotations

import csv
import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cladewise.cli.tables import for_spreadsheets, write_frame

RED = "photos/warm/red/1.png"
COLUMNS = [
    *("path", "label", "label_path", "node", "probability"),
    *("tone", "tone_probability", "colour", "colour_probability"),
    *("leaf", "leaf_path", "leaf_probability", "error"),
]
AWKWARD = ["=1+1", "+49", "-rf", "@all", "\tindent", "\rline", "'tis", "''", "plain", "a,b", 'say "hi"', "two\nlines"]


def read(text: str) -> pl.DataFrame:
    return pl.read_csv(StringIO(text))


@pytest.mark.parametrize("decision", ["majority", "threshold", "node-argmax", "leaf"])
def test_every_decision_predicts(here: Any, run: str, decision: str) -> None:
    code, out, err = here("predict", run, "photos/cold/blue/2.png", "--decision", decision)
    assert (code, err) == (0, "")
    frame = read(out)
    assert frame.columns == COLUMNS
    row = frame.row(0, named=True)
    assert (row["path"], row["error"]) == ("photos/cold/blue/2.png", None)
    assert row["label_path"].split("/")[-1] == row["label"]
    probabilities = {row["label_path"]: row["probability"], row["leaf_path"]: row["leaf_probability"]}
    for level in ("tone", "colour"):
        path = "/".join(row[name] for name in ("tone", "colour")[: 1 + (level == "colour")] if row[name])
        if row[level] is not None:
            assert probabilities.setdefault(path, row[f"{level}_probability"]) == row[f"{level}_probability"]


def test_every_input_has_a_row_in_its_place(here: Any, run: str) -> None:
    Path("LICENSE").write_text("pictures\n")
    code, out, err = here("predict", run, "broken.png", RED, "LICENSE", "--decision", "leaf")
    assert code == 0
    frame = read(out)
    assert frame["path"].to_list() == ["broken.png", RED, "LICENSE"]
    assert frame["error"].is_null().to_list() == [False, True, False]
    assert frame["label"].is_null().to_list() == [True, False, True]
    assert [line.partition(" left out: ")[0] for line in err.splitlines()] == [
        "cladewise: broken.png",
        "cladewise: LICENSE",
    ]


def test_levels_are_each_answered(here: Any, run: str) -> None:
    code, out, _ = here("predict", run, RED, "broken.png", "--decision", "levels")
    frame = read(out)
    levels = [f"{name}{part}" for name in ("tone", "colour") for part in ("", "_path", "_probability")]
    assert (code, frame.columns) == (0, ["path", *levels, "error"])
    assert frame["colour_path"][0].endswith(f"/{frame['colour'][0]}")
    assert frame["colour"][1] is None


def test_nothing_readable_fails_and_still_writes_the_table(here: Any, run: str, tmp_path: Path) -> None:
    code, out, err = here("predict", run, "broken.png")
    assert code == 2
    assert err.startswith("cladewise: broken.png left out: ")
    assert read(out)["path"].to_list() == ["broken.png"]
    code, out, err = here("predict", run, "broken.png", "--out", tmp_path / "p.parquet")
    assert (code, out) == (2, "")
    assert pl.read_parquet(tmp_path / "p.parquet")["error"].is_not_null().all()


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.jsonl", "p.ndjson", "p.parquet", "P.CSV"])
def test_the_format_follows_the_name(here: Any, run: str, tmp_path: Path, name: str) -> None:
    code, out, err = here("predict", run, RED, "photos/cold", "--decision", "leaf", "--out", tmp_path / name)
    assert (code, out, err) == (0, "", "")
    readers = {
        ".csv": pl.read_csv,
        ".tsv": lambda file: pl.read_csv(file, separator="\t"),
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
        ".parquet": pl.read_parquet,
    }
    frame = readers[Path(name.lower()).suffix](tmp_path / name)
    assert frame.columns == COLUMNS
    assert frame.height == 21


def test_a_format_that_is_asked_for_wins_and_is_told(here: Any, run: str, tmp_path: Path) -> None:
    code, _, err = here("predict", run, RED, "--format", "jsonl", "--out", tmp_path / "p.csv")
    assert code == 0
    assert err == f"cladewise: warning: Written as jsonl, though the name is that of a csv file at {tmp_path}/p.csv.\n"
    assert json.loads((tmp_path / "p.csv").read_text())["path"] == RED
    code, _, err = here("predict", run, RED, "--format", "csv", "--out", tmp_path / "predictions")
    assert (code, err) == (0, "")


def test_each_image_once_and_no_other_files(here: Any, run: str, shell: Any) -> None:
    folder = Path("mixed")
    folder.mkdir()
    for name in ("a.png", "b.JPG", "no-suffix"):
        (folder / name).write_bytes(Path(RED).read_bytes())
    (folder / "README.md").write_text("pictures\n")
    (folder / "LICENSE").write_text("free\n")
    (folder / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    code, out, err = here("predict", run, "mixed", "./mixed/a.png", "mixed/../mixed/*.png", "--decision", "leaf")
    assert code == 0
    assert read(out)["path"].to_list() == [f"mixed/{name}" for name in ("a.png", "b.JPG", "no-suffix", "phone.HEIC")]
    lines = err.splitlines()
    assert lines[0] == "cladewise: named more than once, and taken once: mixed/a.png, mixed/../mixed/a.png"
    assert lines[1] == "cladewise: left out, since they are no images: mixed/LICENSE, mixed/README.md"
    assert lines[2].startswith("cladewise: mixed/phone.HEIC left out: a")
    assert len(lines) == 3
    (folder / "text").mkdir()
    (folder / "text" / "a.txt").write_text("a")
    code, _, err = here("predict", run, "mixed/text")
    assert (code, "match some, but got 'mixed/text', where no file is an image" in err) == (2, True)


def test_file_names_of_every_kind(here: Any, run: str, shell: Any) -> None:
    folder = Path("names")
    folder.mkdir()
    names = [b"-n.png", b"=cmd().png", b"caf\xe9.png", b"two\nlines.png", b"q'uote\".png", "日本.png".encode()]
    for name in names:
        Path(os.path.join(folder, os.fsdecode(name))).write_bytes(Path(RED).read_bytes())
    (folder / os.fsdecode(b"br\xf6ken.png")).write_bytes(b"")
    code, out, err = here("predict", run, "names", "--decision", "leaf")
    assert code == 0
    rows = list(csv.DictReader(StringIO(out)))
    assert len(rows) == len(names) + 1
    assert len({row["label"] for row in rows if not row["error"]}) == 1
    assert {row["path"] for row in rows} >= {"names/caf\\udce9.png", "names/two\nlines.png", "names/日本.png"}
    assert "names/br\\udcf6ken.png left out: an empty file" in err
    code, out, _ = here("predict", run, "names", "--decision", "leaf", "--format", "jsonl")
    assert [json.loads(line)["path"] for line in out.splitlines()] == [row["path"] for row in rows]


# ------------------------------------------------------------------ parts


def test_a_folder_of_parts_is_resumed_and_read_again(here: Any, run: str, tmp_path: Path) -> None:
    out = f"{tmp_path / 'parts'}"
    words = ("predict", run, "photos", "broken.png", "--decision", "leaf", "--part-rows", "16", "--keep", "scores")
    code, printed, err = here(*words, "--out", out, "--shard", "2/2")
    assert (code, printed) == (0, "")
    assert err == f"cladewise: 1 of 3 parts are in {out}\n"
    code, _, err = here(*words, "--out", out)
    assert (code, err.count("broken.png left out: ")) == (0, 1)
    frame = pl.concat(map(pl.read_parquet, sorted(Path(out, "parts").glob("*.parquet"))))
    assert (frame.columns, frame.height) == (COLUMNS, 41)
    code, printed, err = here("predict", run, out, "--decision", "levels", "--quiet")
    assert (code, err) == (0, "")
    assert read(printed)["path"].to_list() == frame["path"].to_list()
    code, _, err = here(*words[:-2], "--out", out)
    assert code == 2
    assert "but got another one: what is kept changed" in err


def test_a_file_is_made_of_parts_that_an_interruption_leaves(here: Any, run: str, tmp_path: Path) -> None:
    words = ("predict", run, "photos", "--decision", "leaf", "--part-rows", "16")
    code, printed, _ = here(*words)
    assert code == 0
    code, _, err = here(*words, "--out", tmp_path / "p.csv")
    assert (code, err) == (0, "")
    assert (tmp_path / "p.csv").read_text() == printed
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
    code, _, _ = here(*words, "--out", f"{tmp_path}/p.csv.parts/")  # what a killed command leaves
    assert code == 0
    kept = tmp_path / "p.csv.parts" / "parts" / "part-000001.parquet"
    pl.read_parquet(kept).with_columns(label=pl.lit("kept")).write_parquet(kept)
    code, _, _ = here(*words, "--out", tmp_path / "p.csv")
    assert code == 0
    assert read((tmp_path / "p.csv").read_text())["label"].to_list().count("kept") == 16
    assert not kept.exists()


def test_columns_of_a_table_pass_through(here: Any, run: str, tmp_path: Path) -> None:
    Path("list.csv").write_text(f"site,path,label\n007,{RED},red\n008,photos/gone.png,\n")
    code, out, err = here("predict", run, "list.csv", "--decision", "leaf", "--format", "jsonl", "--top", "2")
    assert (code, err) == (0, "cladewise: photos/gone.png left out: no such file\n")
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["site"], first["input_label"], first["path"]) == ("007", "red", RED)
    assert len(first["top_labels"]) == 2
    assert (second["site"], second["label"], second["error"]) == ("008", None, "no such file")


def test_what_needs_a_folder_says_so(here: Any, run: str) -> None:
    for option in (("--shard", "1/2"), ("--keep", "features")):
        code, _, err = here("predict", run, RED, *option)
        assert code == 2
        assert f"Expected a folder as --out with {option[0]}, but got standard output" in err
    code, _, err = here("predict", run, RED, "--out", "folder/", "--format", "csv")
    assert (code, "Expected --format parquet for a folder" in err) == (2, True)
    code, _, err = here("predict", run, RED, "--out", "folder/", "--keep", "pixels")
    assert (code, "a keep: features, scores, but got 'pixels'" in err) == (2, True)


# ------------------------------------------------------------------ spreadsheets


def test_formulas_are_defused_in_spreadsheets_alone_and_come_back(tmp_path: Path) -> None:
    frame = pl.DataFrame({"=name": AWKWARD, "p": [0.5] * len(AWKWARD)})
    for name, separator in (("p.csv", ","), ("p.tsv", "\t")):
        write_frame(frame, name[2:], tmp_path / name)
        with open(tmp_path / name, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, delimiter=separator)
        assert not any(cell[:1] in {*"=+-@\t\r\n"} for cell in (*header, *(row[0] for row in rows)))
        assert [cell.removeprefix("'") if cell.startswith("'") else cell for cell, _ in rows] == AWKWARD
        assert {row[1] for row in rows} == {"0.5"}
    write_frame(frame, "jsonl", tmp_path / "p.jsonl")
    write_frame(frame, "parquet", tmp_path / "p.parquet")
    assert pl.read_ndjson(tmp_path / "p.jsonl").equals(frame)
    assert pl.read_parquet(tmp_path / "p.parquet").equals(frame)


def test_a_spreadsheet_takes_the_file_for_utf_8(tmp_path: Path) -> None:
    for text, marked in (("wren", False), ("Zaunkönig", True), ("日本", True)):
        write_frame(pl.DataFrame({"label": [text]}), "csv", tmp_path / "p.csv")
        content = (tmp_path / "p.csv").read_bytes()
        assert content.startswith(b"\xef\xbb\xbf") == marked
        assert content.decode("utf-8-sig") == f"label\n{text}\n"
        assert pl.read_csv(tmp_path / "p.csv")["label"].to_list() == [text]
        write_frame(pl.DataFrame({"label": [text]}), "jsonl", tmp_path / "p.jsonl")
        assert not (tmp_path / "p.jsonl").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_list_in_a_cell_can_be_taken_apart() -> None:
    frame = for_spreadsheets(pl.DataFrame({"labels": [["=a;b", "c"], [], None], "ps": [[1 / 3, 1.0], [], None]}))
    assert frame["labels"].to_list() == ["'=a\\;b;c", "", None]
    assert frame["ps"].to_list() == ["0.333333;1.0", "", None]


def test_a_label_that_is_a_formula_stays_text_end_to_end(here: Any, run: str, tmp_path: Path) -> None:
    folder = Path("photos")
    for old, new in (("warm/red", "=warm/-red"), ("warm/orange", "=warm/@orange"), ("cold/blue", "cold/+blue")):
        target = Path("formulas") / new
        target.mkdir(parents=True)
        for number in range(8):
            (target / f"{number}.png").write_bytes((folder / old / f"{number}.png").read_bytes())
    words = ("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0", "--freeze")
    code, _, err = here("train", "formulas", *words, "--epochs", "1", "--out", "runs/formulas")
    assert code == 0, err
    code, out, err = here("predict", "runs/formulas", "formulas", "--decision", "leaf")
    assert code == 0, err
    cells = [cell for row in csv.reader(StringIO(out)) for cell in row]
    assert any(cell.startswith("'=") for cell in cells)
    assert not any(cell[:1] in {*"=+-@"} for cell in cells)


# ------------------------------------------------------------------ engines


def test_a_cluster_needs_a_folder_and_its_options_a_cluster(here: Any, run: str, tmp_path: Path) -> None:
    for words, told in (
        (("--engine", "ray"), "a folder as --out with --engine ray, but got standard output"),
        (("--engine", "ray", "--out", tmp_path / "a.csv"), "a folder as --out with --engine ray, but got a file"),
        (("--actors", "2"), "--engine ray with --actors, but got --engine local"),
        (("--ray-address", "auto"), "--engine ray with --ray-address, but got --engine local"),
        (("--engine", "spark"), "an engine: local, ray, but got 'spark'"),
    ):
        code, out, err = here("predict", run, RED, *words)
        assert (code, out) == (2, "")
        assert told in err
