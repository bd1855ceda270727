"""The index of plates: it survives the disk, forgets what it replaces, and says what is wrong with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.records import Measure, NumberTable, Plate, Plates, RunFolder, read_plates, write_plates

TABLE = NumberTable(
    "overlap", "Overlap", "4 images", "level", ("coarse", "fine"), (Measure("purity", "", "higher"),), ((1.0,), (None,))
)
PLATES = Plates("maps", "test", "Maps", "What.", "m", "f", (Plate("a", "A", "c", "x"),), (TABLE,), ("pairs.csv",))


def write(folder: Path, plates: Plates) -> Path:
    index = RunFolder(folder).plates(plates.kind, plates.split)
    for name in plates.files:
        index.parent.mkdir(parents=True, exist_ok=True)
        (index.parent / name).write_text(name)
    write_plates(index, plates)
    return index


def test_it_survives_the_disk_and_is_found_by_split(tmp_path: Path) -> None:
    index = write(tmp_path, PLATES)
    assert read_plates(index) == PLATES
    other = write(tmp_path, dataclasses.replace(PLATES, split="train+[v]al"))
    assert RunFolder(tmp_path).plates_of("test") == [index]
    assert RunFolder(tmp_path).plates_of("train+[v]al") == [other]


def test_files_that_only_the_last_index_named_go(tmp_path: Path) -> None:
    index = write(tmp_path, PLATES)
    write(tmp_path, dataclasses.replace(PLATES, plates=(Plate("b", "B", "", ""),), data=()))
    assert {file.name for file in index.parent.iterdir()} == {"index.json", "b.png", "b.svg"}


def test_names_of_an_index_lead_nowhere_else(tmp_path: Path) -> None:
    bystander = tmp_path / "plates" / "kept.csv"
    index = write(tmp_path, PLATES)
    bystander.write_text("kept")
    index.write_text(index.read_text().replace("pairs.csv", "../../kept.csv"))
    write_plates(index, PLATES)
    assert bystander.is_file()


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 1, "plates": [{"name": 1}]}'])
def test_what_is_no_index(tmp_path: Path, text: str) -> None:
    index = tmp_path / "index.json"
    index.write_text(text)
    with pytest.raises(InputError, match=r"an index of plates.*, but got .* Make the plates again"):
        read_plates(index)


def test_another_version(tmp_path: Path) -> None:
    index = write(tmp_path, PLATES)
    index.write_text(index.read_text().replace('"schema_version": 1', '"schema_version": 7'))
    with pytest.raises(InputError, match="schema_version 1, but got 7"):
        read_plates(index)
