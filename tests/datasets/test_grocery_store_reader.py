"""The official layout of the Grocery Store set, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.datasets import Dataset, from_grocery_store

CLASSES = """\
Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Iconic Image Path (str)
Pink-Lady,0,Apple,0,/iconic/Fruit/Apple/Pink-Lady/a.jpg
Royal-Gala,1,Apple,0,/iconic/Fruit/Apple/Royal-Gala/a.jpg
Banana,2,Banana,1,/iconic/Fruit/Banana/a.jpg
Oat-Milk,3,Oat-Milk,2,/iconic/Packages/Oat-Milk/a.jpg
"""
IMAGES = {
    "train": [
        ("Fruit/Apple/Pink-Lady/1.jpg", 0, 0),
        ("Fruit/Apple/Royal-Gala/1.jpg", 1, 0),
        ("Fruit/Banana/1.jpg", 2, 1),
    ],
    "val": [("Fruit/Banana/2.jpg", 2, 1)],
    "test": [("Packages/Oat-Milk/1.jpg", 3, 2), ("Fruit/Apple/Pink-Lady/2.jpg", 0, 0)],
}


@pytest.fixture
def store(tmp_path: Path, draw) -> Path:
    (tmp_path / "classes.csv").write_text(CLASSES)
    for split, rows in IMAGES.items():
        lines = [f"{split}/{path}, {fine}, {coarse}\n" for path, fine, coarse in rows]
        (tmp_path / f"{split}.txt").write_text("".join(lines))
        for path, _, _ in rows:
            draw(f"{split}/{path}")
    return tmp_path


def test_three_levels_and_the_official_splits(store: Path) -> None:
    groceries: Dataset = from_grocery_store(store)
    tree = groceries.taxonomy
    assert tree.level_names == ("category", "coarse", "fine")
    assert [tree.level_nodes(level).size for level in (1, 2, 3)] == [2, 3, 4]
    assert tree.path_name(int(groceries.nodes[2])) == "Fruit/Banana/Banana"  # a coarse class and its only child
    assert {name: part.tolist() for name, part in groceries.splits.items()} == {
        "train": [0, 1, 2],
        "val": [3],
        "test": [4, 5],
    }
    assert "Klasson" in groceries.credit


def test_missing_images_are_listed(store: Path) -> None:
    (store / "val/Fruit/Banana/2.jpg").unlink()
    groceries = from_grocery_store(store)
    assert [(skip.path, skip.reason) for skip in groceries.skipped] == [("val/Fruit/Banana/2.jpg", "no such file")]
    assert groceries.splits["val"].size == 0
    assert groceries.splits["test"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("val.txt", ", 2, 1", ", 9, 1", "a fine class of classes.csv, but got 9 at {}/val.txt:1."),
        ("val.txt", ", 2, 1", ", x, 1", "the number of a class, but got 'x' at {}/val.txt:1."),
        ("val.txt", ", 2, 1", "", "a line 'split/category/.../image, fine, coarse', but got"),
        ("val.txt", "val/Fruit/", "val/Vegetables/", "got Fruit and Vegetables at class Banana/Banana."),
        ("test.txt", "Packages/Oat-Milk/1.jpg, 3", "Packages/Oat-Milk/1.jpg, 2", "got Fruit and Packages at class"),
        ("classes.csv", "Class ID (int),Coarse", "Number,Coarse", "a column 'Class ID (int)', but got"),
        ("classes.csv", "Banana,2,", "Banana,two,", "the number of a class, but got 'two' at {}/classes.csv:4."),
    ],
)
def test_lists_that_do_not_fit(store: Path, file: str, old: str, new: str, message: str) -> None:
    text = (store / file).read_text()
    assert old in text
    (store / file).write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        from_grocery_store(store)
    assert message.format(store) in str(caught.value)


def test_another_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the file classes.csv of the Grocery Store layout, but got none at"):
        from_grocery_store(tmp_path)
