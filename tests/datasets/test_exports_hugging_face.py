"""Image data sets of Hugging Face: Parquet with features, Arrow files, and folders with a table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cladewise.datasets import Dataset, open
from cladewise.datasets.finding import find_data
from cladewise.engine import cache_entries
from cladewise.errors import InputError

FINE, COARSE, ABOVE = ["cod", "wren", "eel", "robin"], ["fish", "bird"], [0, 1, 0, 1]


def classes(names: list[str]) -> dict[str, Any]:
    return {"names": names, "_type": "ClassLabel"}


CLASSES = {"fine_label": classes(FINE), "coarse_label": classes(COARSE)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def encoded(shade: int, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(stream, kind)
    return stream.getvalue()


def table(columns: dict[str, list[Any]], features: dict[str, Any] | None, images: list[Any] | None = None) -> pa.Table:
    """A table as ``datasets`` writes it, with its features in the metadata unless they are None."""
    count = len(next(iter(columns.values())))
    images = [{"bytes": encoded(n), "path": f"{n}.png"} for n in range(count)] if images is None else images
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    found = pa.table({"image": pa.array(images, kind), **columns})
    if features is None:
        return found
    info = {"info": {"features": {"image": {"_type": "Image"}, **features}}}
    return found.replace_schema_metadata({"huggingface": json.dumps(info)})


def labels(dataset: Dataset) -> list[str]:
    return [dataset.taxonomy.path_name(int(node)) for node in dataset.nodes]


def on_the_hub(folder: Path) -> Path:
    (folder / "hub" / "data").mkdir(parents=True)
    for split, count in (("train", 8), ("validation", 4), ("test", 4)):
        fine = [n % 4 for n in range(count)]
        rows = {"fine_label": fine, "coarse_label": [ABOVE[f] for f in fine]}
        pq.write_table(table(rows, CLASSES), folder / "hub" / "data" / f"{split}-00000-of-00001-0a1b2c.parquet")
    return folder / "hub"


def test_columns_of_classes_are_levels_and_files_are_splits(tmp_path: Path) -> None:
    dataset = find_data(str(on_the_hub(tmp_path)))
    assert {name: len(images) for name, images in dataset.splits.items()} == {"train": 8, "val": 4, "test": 4}
    assert dataset.taxonomy.level_names == ("coarse_label", "fine_label")
    assert {labels(dataset)[i] for i in dataset.splits["train"]} == {f"{COARSE[ABOVE[f]]}/{FINE[f]}" for f in range(4)}
    for split in ("train", "val"):
        shades = [Image.open(dataset.root / dataset.paths[i]).getpixel((0, 0))[0] for i in dataset.splits[split]]
        assert shades == list(range(len(shades)))  # each row's own image
    assert labels(find_data(str(tmp_path / "hub"), label="fine_label"))[:4] == FINE


def test_images_are_unpacked_once_and_listed_in_the_cache(tmp_path: Path, cache: Path) -> None:
    first = find_data(str(on_the_hub(tmp_path)))
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*.png")}
    assert len(before) == 16
    again = open(first.source)
    assert (again.paths, again.nodes.tolist()) == (first.paths, first.nodes.tolist())
    assert {file: file.stat().st_mtime_ns for file in cache.rglob("*.png")} == before
    assert {entry.about for entry in cache_entries(folder=cache)} == {"images of a Parquet or Arrow file"}
    gone, *_ = before
    gone.unlink()
    open(first.source)
    assert gone.stat().st_mtime_ns == before[gone]


def test_classes_of_the_card_name_the_numbers(tmp_path: Path) -> None:
    card = "---\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: label\n    dtype:\n"
    card += "      class_label:\n        names:\n" + "".join(f"          '{n}': {FINE[n]}\n" for n in range(4))
    (tmp_path / "set" / "data").mkdir(parents=True)
    (tmp_path / "set" / "README.md").write_text(f"{card}---\n# Animals\n")
    numbers = [2, 0, 1, 3, -1]
    pq.write_table(table({"label": numbers}, None), tmp_path / "set" / "data" / "train-00000-of-00001.parquet")
    dataset = find_data(str(tmp_path / "set"))
    assert labels(dataset) == ["eel", "cod", "wren", "robin"]
    assert dataset.taxonomy.names.tolist() == ["", *FINE]
    assert [skip.reason for skip in dataset.skipped] == ["no label"]
    (tmp_path / "set" / "README.md").unlink()
    infos = {"default": {"features": {"label": classes(FINE)}}}
    (tmp_path / "set" / "dataset_infos.json").write_text(json.dumps(infos))
    assert labels(find_data(str(tmp_path / "set"))) == labels(dataset)


def test_a_damaged_card_and_numbers_of_no_class_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    pq.write_table(table({"label": [0, 1]}, None), tmp_path / "set" / "train.parquet")
    (tmp_path / "set" / "dataset_infos.json").write_text('{"default": {"features": []}}')
    with pytest.raises(InputError, match=r"a card with features, or none, but got one that cannot be read"):
        find_data(str(tmp_path / "set"))
    for values, told in (([0, 4], "a class from 0 to 3 in 'label', but got 4"), (["cod", "x"], "numbers of classes")):
        pq.write_table(table({"label": values}, {"label": classes(FINE)}), tmp_path / "rows.parquet")
        with pytest.raises(InputError, match=told):
            find_data(str(tmp_path / "rows.parquet"))
    pq.write_table(table({"label": [1.0, float("nan")]}, {"label": classes(FINE)}), tmp_path / "rows.parquet")
    assert labels(find_data(str(tmp_path / "rows.parquet"))) == ["wren"]


def test_arrow_files_are_read_as_they_are_saved(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "saved" / split).mkdir(parents=True)
        found = table({"label": [0, 1, 2, 3]}, {"label": classes(FINE)})
        place = tmp_path / "saved" / split / "data-00000-of-00001.arrow"
        with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_stream(sink, found.schema) as writer:
            writer.write_table(found, max_chunksize=3)
        (tmp_path / "saved" / split / "state.json").write_text("{}")
    dataset = find_data(str(tmp_path / "saved"))
    assert {name: len(images) for name, images in dataset.splits.items()} == {"train": 4, "test": 4}
    assert sorted(labels(dataset)) == sorted(FINE * 2)


def test_texts_are_paths_ranks_or_lists(tmp_path: Path) -> None:
    def read(columns: dict[str, list[Any]], **options: Any) -> Dataset:
        pq.write_table(table(columns, None), tmp_path / "rows.parquet")
        return find_data(str(tmp_path / "rows.parquet"), **options)

    assert labels(read({"label": ["fish/cod", "bird/wren", "bird"]})) == ["fish/cod", "bird/wren", "bird"]
    ranks = {
        "genus": ["Turdus", "", "Parus"],
        "family": ["Turdidae", "Turdidae", None],
        "species": ["T. merula", "", "P. major"],
    }
    dataset = read({**ranks, "note": ["a", "b", "c"]})
    assert labels(dataset) == ["Turdidae/Turdus/T. merula", "Turdidae", "Parus/P. major"]
    assert dataset.taxonomy.level_names == ("family", "genus", "species")
    assert dataset.taxonomy.level[dataset.nodes].tolist() == [3, 1, 3]
    several = read({"tags": [["bird", "bird/wren"], ["fish"], []]}, label="tags")
    assert labels(several) == ["bird/wren", "fish"]
    with pytest.raises(InputError, match=r"columns with labels, but got 'note', 'text'.*label=.family,species."):
        read({"note": ["a", "b"], "text": ["c", "d"]})
    with pytest.raises(InputError, match=r"a column among .*'notes'.*note"):
        read({"note": ["a", "b"]}, label="notes")


def test_classes_that_do_not_nest_are_refused_unless_named(tmp_path: Path) -> None:
    colour = {
        "colour": {"names": ["red", "blue"], "_type": "ClassLabel"},
        "kind": {"names": FINE, "_type": "ClassLabel"},
    }
    pq.write_table(table({"kind": [0, 0, 1], "colour": [0, 1, 1]}, colour), tmp_path / "rows.parquet")
    with pytest.raises(
        InputError, match=r"classes of colour, kind that nest, but got 'cod' with 'red' and with 'blue'"
    ):
        find_data(str(tmp_path / "rows.parquet"))
    assert labels(find_data(str(tmp_path / "rows.parquet"), label="kind,colour")) == [
        "cod/red",
        "cod/blue",
        "wren/blue",
    ]


def test_images_by_path_and_rows_without_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(7, "JPEG"))
    images = [{"bytes": None, "path": "a.jpg"}, {"bytes": None, "path": "gone.jpg"}, None, {"bytes": b"x", "path": ""}]
    pq.write_table(table({"label": ["a", "b", "c", "d"]}, None, images), tmp_path / "rows.parquet")
    dataset = find_data(str(tmp_path / "rows.parquet"))
    assert (labels(dataset), dataset.paths[0].endswith("/0.jpg")) == (["a"], True)
    reasons = {skip.path.rsplit("/", 1)[-1]: skip.reason for skip in dataset.skipped}
    assert set(reasons) == {"rows.parquet#1", "rows.parquet#2", "3"}
    assert reasons["rows.parquet#1"] == "no image in this row"


def test_configurations_and_columns_that_differ_are_refused(tmp_path: Path) -> None:
    for name, column in (("one", "label"), ("two", "species")):
        (tmp_path / "set" / name).mkdir(parents=True)
        pq.write_table(table({column: ["a", "b"]}, None), tmp_path / "set" / name / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match=r"the same columns in all files, but got 'label', 'species' in some"):
        find_data(str(tmp_path / "set"))
    found = table({"label": ["a"]}, None)
    pq.write_table(found.append_column("mask", found["image"]), tmp_path / "rows.parquet")
    with pytest.raises(InputError, match=r"one column of images among 'image', 'mask', but got several"):
        find_data(str(tmp_path / "rows.parquet"))
    assert labels(find_data(str(tmp_path / "rows.parquet"), image="mask")) == ["a"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_folder_with_a_table_per_split(tmp_path: Path, suffix: str) -> None:
    rows = pl.DataFrame(
        {"file_name": ["x/0.png", "1.png"], "family": ["Turdidae", "Paridae"], "genus": ["Turdus", "Parus"]}
    )
    for split in ("train", "validation"):
        (tmp_path / "set" / split / "x").mkdir(parents=True)
        for name in rows["file_name"]:
            (tmp_path / "set" / split / name).write_bytes(encoded(1))
        place = tmp_path / "set" / split / f"metadata.{suffix}"
        {"csv": rows.write_csv, "jsonl": rows.write_ndjson, "parquet": rows.write_parquet}[suffix](place)
    dataset = find_data(str(tmp_path / "set"))
    assert dataset.paths == ("train/x/0.png", "train/1.png", "validation/x/0.png", "validation/1.png")
    assert labels(dataset) == ["Turdidae/Turdus", "Paridae/Parus"] * 2
    assert np.array_equal(dataset.splits["val"], [2, 3])
    assert open(dataset.source).paths == dataset.paths


def test_a_table_of_captions_leaves_the_folders_as_labels(tmp_path: Path) -> None:
    for name in ("wren/1.png", "robin/2.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_bytes(encoded(1))
    (tmp_path / "set" / "metadata.csv").write_text("file_name,text\nwren/1.png,a wren\n")
    assert sorted(labels(find_data(str(tmp_path / "set")))) == ["robin", "wren"]
