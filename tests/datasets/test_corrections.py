"""Tables of corrections: what they change, what they leave, what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cladewise import datasets
from cladewise.datasets import Dataset, with_corrections
from cladewise.datasets.corrections import reviewed_images
from cladewise.errors import InputError

LABELS = ["bird/wren", "bird/wren", "bird/robin", "bird", "fish/wren", "fish/wren", "bird/robin", "bird/wren"]


@pytest.fixture
def photos(tmp_path: Path) -> Dataset:
    """Eight images with a homonym, an internal label and an only child."""
    for number in range(len(LABELS)):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    rows = [f"{number}.png,{label}" for number, label in enumerate(LABELS)]
    (tmp_path / "images.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    return datasets.from_manifest(tmp_path / "images.csv")


def table_of(folder: Path, *rows: str, name: str = "corrections.csv", header: str = "path,label,action") -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder / name


def paths_of(data: Dataset) -> list[str]:
    return [data.taxonomy.path_name(int(node)) for node in data.nodes]


def test_every_action_does_what_it_says(photos: Dataset, tmp_path: Path) -> None:
    table = table_of(tmp_path, "0.png,fish/wren,label", "1.png,nonsense,keep", "2.png,,remove", "3.png,,unsure")
    better = with_corrections(photos, table)
    assert paths_of(better) == ["fish/wren", *LABELS[1:]]
    before = {int(i): name for name, rows in photos.splits.items() for i in rows}
    after = {int(i): name for name, rows in better.splits.items() for i in rows}
    assert after == {i: name for i, name in before.items() if i != 2}
    assert reviewed_images(better).tolist() == [0, 1, 2]


def test_a_column_of_actions_may_be_left_out_and_labels_may_be_internal(photos: Dataset, tmp_path: Path) -> None:
    table = table_of(tmp_path, "0.png,bird", "5.png,robin", header="path,label")
    assert paths_of(with_corrections(photos, table)) == ["bird", *LABELS[1:5], "bird/robin", *LABELS[6:]]


def test_later_tables_count(photos: Dataset, tmp_path: Path) -> None:
    one = table_of(tmp_path, "0.png,bird,label", "1.png,bird,label", name="one.csv")
    two = table_of(tmp_path, f"{tmp_path}/0.png,robin,label", name="two.csv")
    assert paths_of(with_corrections(photos, [one, two]))[:2] == ["bird/robin", "bird"]


def test_absolute_paths_and_parquet(photos: Dataset, tmp_path: Path) -> None:
    rows = pl.DataFrame({"path": [str(tmp_path / "0.png")], "label": ["bird/robin"], "action": ["label"]})
    rows.write_parquet(tmp_path / "c.parquet")
    assert paths_of(with_corrections(photos, tmp_path / "c.parquet"))[0] == "bird/robin"


def test_the_source_opens_the_same_data_and_its_folds(photos: Dataset, tmp_path: Path) -> None:
    table = table_of(tmp_path, "0.png,fish/wren,label", "2.png,,remove")
    better = with_corrections(photos, table)
    for data in (better, datasets.fold(better, "train", 1, 2), datasets.with_label_noise(better, 0.5)):
        again = datasets.open(data.source)
        assert again.nodes.tolist() == data.nodes.tolist()
        assert {k: v.tolist() for k, v in again.splits.items()} == {k: v.tolist() for k, v in data.splits.items()}


def test_classes_can_be_held_out_of_corrected_data(photos: Dataset, tmp_path: Path) -> None:
    better = with_corrections(photos, table_of(tmp_path, "0.png,bird/robin,label"))
    known = datasets.hold_out_classes(better, nodes=["robin"])
    again = datasets.open(known.source)
    assert again.nodes.tolist() == known.nodes.tolist()
    assert paths_of(known)[0] == "bird"


def test_a_changed_table_is_refused(photos: Dataset, tmp_path: Path) -> None:
    source = with_corrections(photos, table_of(tmp_path, "0.png,bird,label")).source
    table_of(tmp_path, "0.png,robin,label")
    with pytest.raises(InputError, match=r"table of corrections .* changed since at .*corrections\.csv"):
        datasets.open(source)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("9.png,bird,label", r"paths of images of images, but got 1 that it has not: '9\.png \(line 2\)'"),
        ("0.png,wren,label", "wren"),
        ("0.png,crow,label", "crow"),
        ("0.png,,label", r"a label in every row with the action label, but got none"),
        ("0.png,bird,delete", r"an action: keep, label, remove, unsure, but got 'delete'"),
        ("0.png,bird,kep", "Did you mean keep"),
    ],
)
def test_bad_rows_are_refused(photos: Dataset, tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_corrections(photos, table_of(tmp_path, row))


def test_an_image_twice_is_refused(photos: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one row per image, but got several for .0\.png. in lines 2 and 3"):
        with_corrections(photos, table_of(tmp_path, "0.png,bird,label", "./0.png,bird,label"))


def test_order_of_changes_is_that_of_opening(photos: Dataset, tmp_path: Path) -> None:
    table = table_of(tmp_path, "0.png,bird,label")
    for changed in (
        datasets.with_label_noise(photos, 0.5),
        datasets.fold(photos, "train", 0, 2),
        datasets.hold_out_classes(photos, nodes=["robin"]),
    ):
        with pytest.raises(InputError):
            with_corrections(changed, table)
    with pytest.raises(InputError, match="Split it before correcting"):
        datasets.split(with_corrections(photos, table))
    assert np.array_equal(datasets.split(photos).nodes, photos.nodes)
