"""Manifests: a table of files and labels."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from cladewise import InputError, Taxonomy
from cladewise.datasets import from_manifest

TREE = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear"), ("juice", "apple")])


def manifest(folder: Path, text: str, name: str = "images.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture
def images(draw) -> None:
    for number in range(1, 5):
        draw(f"{number}.png")


ROWS = "path,label,split\n1.png,pear,train\n2.png,fruit/apple,train\n3.png,fruit,Validation\n4.png,juice/apple,test\n"


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_every_format_says_the_same(tmp_path: Path, images: None, ending: str) -> None:
    csv = manifest(tmp_path, ROWS)
    table = tmp_path / f"same.{ending}"
    if ending == "tsv":
        manifest(tmp_path, ROWS.replace(",", "\t"), table.name)
    elif ending == "parquet":
        pl.read_csv(csv).write_parquet(table)
    else:
        manifest(tmp_path, "\ufeff" + ROWS, table.name)  # as spreadsheets write it
    photos = from_manifest(table, TREE)
    assert [TREE.path_name(int(node)) for node in photos.nodes] == ["fruit/pear", "fruit/apple", "fruit", "juice/apple"]
    assert {name: part.tolist() for name, part in photos.splits.items()} == {"train": [0, 1], "val": [2], "test": [3]}


def test_without_a_taxonomy_labels_are_paths(tmp_path: Path, images: None) -> None:
    photos = from_manifest(manifest(tmp_path, "path,label\n1.png,b/c\n2.png,a\n3.png,b\n4.png,b/c\n"))
    assert photos.taxonomy == Taxonomy.from_paths([("b", "c"), ("a",)])
    assert photos.nodes.tolist() == [2, 3, 1, 2]
    assert set(photos.splits) == {"train", "val", "test"}


def test_files_may_lie_elsewhere_or_be_absolute(tmp_path: Path, draw) -> None:
    draw("photos/1.png")
    absolute = draw("elsewhere/2.png")
    table = manifest(tmp_path, f"path,label\n1.png,a\n{absolute},a\n")
    photos = from_manifest(table, root=tmp_path / "photos")
    assert len(photos) == 2
    assert all((photos.root / path).is_file() for path in photos.paths)


def test_missing_and_broken_files_are_listed(tmp_path: Path, images: None) -> None:
    (tmp_path / "0.png").touch()
    photos = from_manifest(manifest(tmp_path, "path,label,split\n0.png,a,train\n1.png,b,train\n9.png,c,test\n"))
    assert [(skip.path, skip.reason) for skip in photos.skipped] == [
        ("0.png", "an empty file"),
        ("9.png", "no such file"),
    ]
    assert photos.taxonomy.num_leaves == 3
    assert photos.nodes.tolist() == [photos.taxonomy.find("b")]
    assert {name: part.tolist() for name, part in photos.splits.items()} == {"train": [0]}


def test_unknown_and_unclear_labels_are_all_listed(tmp_path: Path, images: None) -> None:
    table = manifest(tmp_path, "path,label\n1.png,kiwi\n2.png,pear\n3.png,apple\n4.png,kiwi\n5.png,\n")
    with pytest.raises(InputError) as caught:
        from_manifest(table, TREE)
    assert str(caught.value) == (
        "Expected labels that name one node of the taxonomy each, but got 3 that do not: 'kiwi' in lines 2, 5; "
        f"'apple' (fruit/apple or juice/apple) in line 4; a blank label in line 6 at {table}. "
        "Correct them, or add them to the taxonomy; where a name repeats, give the path."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n1.png,a\n", "the columns path and label, but got file, label at {}:1."),
        ("path,label\n,a\n", "a path in every row, but got none in 1 at {}:2."),
        ("path,label\n1.png,a//b\n", "labels that are paths, as in Fruit/Apple, but got a blank name at {}:2."),
        ("path,label\n1.png,a\n1.png,b\n", "1 files with several, such as '1.png' in lines 2 and 3 at {}:3."),
        ("path,label,split\n1.png,a,train\n1.png,a,test\n", "one label and one split for every file, but got 1 files"),
        ("path,label,split\n1.png,a,train\n2.png,a,\n", "a split for every file, or for none, but got 1 files without"),
        ("path,label\n1.png,a,b,c\n", "a manifest that can be read as CSV, but got"),
        ("", "a manifest that can be read as CSV, but got"),
        ("path,label\n", "a data set with images, but got no file at {}."),
        ("path,label\nno.png,a\n", "got 1 file, none of them usable at {}. The first, no.png, is no such file."),
    ],
)
def test_a_table_that_is_wrong(tmp_path: Path, images: None, text: str, message: str) -> None:
    table = manifest(tmp_path, text)
    with pytest.raises(InputError) as caught:
        from_manifest(table)
    assert message.format(table) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_row_twice_counts_once(tmp_path: Path, images: None) -> None:
    assert len(from_manifest(manifest(tmp_path, "path,label\n1.png,a\n1.png,a\n"))) == 1


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a manifest ending in .csv, .tsv or .parquet, but got 'images.xlsx'"):
        from_manifest(tmp_path / "images.xlsx")
    with pytest.raises(InputError, match="a manifest, but got no such file"):
        from_manifest(tmp_path / "images.csv")
    (tmp_path / "images.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="a manifest that can be read as PARQUET"):
        from_manifest(tmp_path / "images.parquet")
    (tmp_path / "latin.csv").write_bytes("path,label\n1.png,pêche\n".encode("latin-1"))
    with pytest.raises(InputError, match="a manifest that can be read as CSV"):
        from_manifest(tmp_path / "latin.csv")
