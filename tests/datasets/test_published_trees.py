"""Trees of the published fine-grained sets: facts, and files that contradict each other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from cladewise import InputError, datasets
from cladewise.datasets.finding import find_data
from cladewise.datasets.published.fact_tables import fact_table

STYLES = {"Cab", "Convertible", "Coupe", "Hatchback", "Minivan", "Sedan", "SUV", "Van", "Wagon"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("table", "name"),
    [("cub_200_2011", "cub-200-2011"), ("stanford_cars", "stanford-cars"), ("fashion_mnist", "fashion-mnist")],
)
def test_tables_have_the_published_numbers(table: str, name: str) -> None:
    levels, rows = fact_table(table)
    sizes = {level: len({row[: k + 1] for row in rows}) for k, level in enumerate(levels)}
    assert list(sizes.values()) == list(datasets.facts(name).levels.values())
    assert len({row[-1] for row in rows}) == len(rows)
    for k in range(1, len(levels)):  # a class has one parent, whatever its name is at other levels
        assert len({row[: k + 1] for row in rows}) == len({row[k] for row in rows})


def test_birds_are_in_the_families_of_their_names() -> None:
    rows = fact_table("cub_200_2011")[1]
    family = {name.partition(".")[2]: family for _, family, name in rows}
    expected = {
        "Wren": "Troglodytidae", "Vireo": "Vireonidae", "Gull": "Laridae", "Tern": "Laridae", "Auklet": "Alcidae",
        "Woodpecker": "Picidae", "Hummingbird": "Trochilidae", "Cormorant": "Phalacrocoracidae",
        "Grebe": "Podicipedidae", "Cuckoo": "Cuculidae", "Swallow": "Hirundinidae", "Oriole": "Icteridae",
        "Warbler": "Parulidae", "Kingfisher": "Alcedinidae", "Jay": "Corvidae",
        "Pelican": "Pelecanidae", "Waxwing": "Bombycillidae",
    }  # fmt: skip
    for word, name in expected.items():
        birds = [bird for bird in family if bird.split("_")[-1] == word]
        assert birds, word
        assert {family[bird] for bird in birds} == {name}, word
    assert [int(row[2].partition(".")[0]) for row in rows] == list(range(1, 201))
    assert [row[2] for row in rows if row[1] == "Halcyonidae"] == ["084.Red_legged_Kittiwake"]  # as in the list


def test_types_are_the_body_styles_in_the_names() -> None:
    stated = {model: [word for word in model.split() if word in STYLES] for _, model in fact_table("stanford_cars")[1]}
    others = {model: kind for kind, model in fact_table("stanford_cars")[1] if stated[model][-1:] != [kind]}
    assert {kind for kind, _ in fact_table("stanford_cars")[1]} == STYLES
    assert len(others) == 16
    assert {model for model in others if stated[model]} == {"Ford E-Series Wagon Van 2012"}  # a wagon in the list


def test_birds_without_and_with_the_correction(tmp_path: Path) -> None:
    options = datasets.write_made_up("cub-200-2011", tmp_path)
    published = datasets.load("cub-200-2011", **options)
    corrected = datasets.load("cub-200-2011", corrected=True, **options)
    assert published.paths == corrected.paths
    before, after = ({found.taxonomy.path_name(node) for node in found.taxonomy} for found in (published, corrected))
    assert before - after == {
        "Coraciiformes/Alcedinidae/White breasted Kingfisher",
        "Coraciiformes/Halcyonidae/Red legged Kittiwake",
    }
    assert after - before == {
        "Coraciiformes/Halcyonidae/White breasted Kingfisher",
        "Charadriiformes/Laridae/Red legged Kittiwake",
    }
    tree = published.taxonomy
    lines = (Path(options["path"]) / "classes.txt").read_text().splitlines()
    for identifier, name in (line.split(" ") for line in lines):
        node = tree.find(name.partition(".")[2].replace("_", " "))
        assert tree.columns["class"][node] == identifier
    assert datasets.open(corrected.source).taxonomy == corrected.taxonomy


def test_birds_of_the_list_are_told_from_others(tmp_path: Path) -> None:
    options = datasets.write_made_up("cub-200-2011", tmp_path)
    classes = Path(options["path"]) / "classes.txt"
    classes.write_text(classes.read_text().replace("Red_legged_Kittiwake", "Dodo"))
    with pytest.raises(InputError, match=r"classes of CUB-200-2011, but got '084\.Dodo' at .*classes\.txt\. Unpack"):
        datasets.load("cub-200-2011", **options)
    assert find_data(str(options["path"])).source["kind"] == "export"  # of another set in the same files


def test_nabirds_is_ragged(tmp_path: Path) -> None:
    found = datasets.load("nabirds", **datasets.write_made_up("nabirds", tmp_path))
    tree = found.taxonomy
    assert not tree.synthetic_root
    assert str(tree.names[0]) == "Birds"
    assert Counter(tree.depth[tree.leaf_nodes].tolist()) == {3: 4, 4: 2}
    for path, node in zip(found.paths, found.nodes.tolist(), strict=True):
        assert int(path.partition("/")[0]) == int(tree.columns["id"][node])


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("images_family_val.txt", "A320", "A380", "every variant in one family of one manufacturer, but got A319 in"),
        ("images_family_val.txt", " A320", "", "an image and its class, but got"),
        ("images_family_val.txt", "00343", "10343", "every image once in the lists of manufacturer, family, variant"),
    ],
)
def test_aircraft_lists_that_do_not_fit(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    options = datasets.write_made_up("fgvc-aircraft", tmp_path)
    place = Path(options["path"]) / "data" / file
    first, *rest = place.read_text().splitlines()
    assert old in first
    place.write_text("\n".join([first.replace(old, new), *rest]))
    with pytest.raises(InputError, match=message):
        datasets.load("fgvc-aircraft", **options)


@pytest.mark.parametrize("file", [f"images_{level}_test.txt" for level in ("manufacturer", "family", "variant")])
def test_an_aircraft_list_that_is_missing(tmp_path: Path, file: str) -> None:
    options = datasets.write_made_up("fgvc-aircraft", tmp_path)
    (Path(options["path"]) / "data" / file).unlink()
    with pytest.raises(InputError, match=rf"the file {file} of FGVC-Aircraft, but got none at .*/data\. Unpack"):
        datasets.load("fgvc-aircraft", **options)


def test_missing_pictures_are_told(tmp_path: Path) -> None:
    options = datasets.write_made_up("fgvc-aircraft", tmp_path)
    images = sorted((Path(options["path"]) / "data" / "images").iterdir())
    images[0].unlink()
    images[1].write_bytes(b"")
    found = datasets.load("fgvc-aircraft", **options)
    assert [skip.reason for skip in found.skipped] == ["no such file", "an empty file"]
    assert found.splits["train"].size == 10
    with pytest.raises(InputError, match=r"10 images of train, .* \(0034310\.jpg: no such file\) at"):
        datasets.load("fgvc-aircraft", path=options["path"])


def test_car_files_that_are_damaged(tmp_path: Path) -> None:
    options = datasets.write_made_up("stanford-cars", tmp_path)
    root = Path(options["path"])
    train = (root / "devkit/cars_train_annos.mat").read_bytes()
    savemat(root / "devkit/cars_train_annos.mat", {"annotations": np.zeros((1, 2), dtype=[("fname", object)])})
    with pytest.raises(InputError, match="annotations with fname and class, but got fname"):
        datasets.load("stanford-cars", **options)
    savemat(root / "devkit/cars_train_annos.mat", {"others": np.zeros(2)})
    with pytest.raises(InputError, match="the variable annotations, but got none of that name"):
        datasets.load("stanford-cars", **options)
    for content in (b"", train[:100], train[:500], b"x" * 1000):
        (root / "devkit/cars_train_annos.mat").write_bytes(content)
        with pytest.raises(InputError, match=r"a file of MATLAB 5 to 7, but got .*cars_train_annos\.mat"):
            datasets.load("stanford-cars", **options)
    (root / "devkit/cars_train_annos.mat").write_bytes(train)
    savemat(root / "devkit/cars_meta.mat", {"class_names": np.array(["Trabant 601 Sedan 1989"], dtype=object)[None]})
    with pytest.raises(InputError, match="classes of Stanford Cars, but got 'Trabant 601 Sedan 1989'"):
        datasets.load("stanford-cars", **options)
    savemat(root / "devkit/cars_meta.mat", {"class_names": np.array(["Acura RL Sedan 2012"], dtype=object)[None]})
    with pytest.raises(InputError, match="classes from 1 to 1, but got"):
        datasets.load("stanford-cars", **options)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content[:-1], "15,680 bytes after the header, but got 15,679"),
        (lambda content: content[:9], "a header of 16 bytes, but got 9"),
        (lambda content: b"", "an IDX file of bytes with 3 axes"),
        (lambda content: content[:3] + b"\x01" + content[4:], "an IDX file of bytes with 3 axes"),
    ],
)
def test_fashion_files_that_are_damaged(tmp_path: Path, change, told: str) -> None:
    options = datasets.write_made_up("fashion-mnist", tmp_path)
    file = tmp_path / "FashionMNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InputError, match=told):
        datasets.load("fashion-mnist", **options)


def test_fashion_labels_that_do_not_fit(tmp_path: Path) -> None:
    options = datasets.write_made_up("fashion-mnist", tmp_path)
    raw = tmp_path / "FashionMNIST/raw"
    labels = (raw / "train-labels-idx1-ubyte").read_bytes()
    (raw / "train-labels-idx1-ubyte").write_bytes(labels[:-1] + bytes([10]))
    with pytest.raises(InputError, match="classes from 0 to 9, but got 10"):
        datasets.load("fashion-mnist", **options)
    (raw / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 3]))
    with pytest.raises(InputError, match="a label for each picture, but got 20 pictures and 1 labels"):
        datasets.load("fashion-mnist", **options)
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8b rest")
    with pytest.raises(InputError, match="a complete gzip file"):
        datasets.load("fashion-mnist", **options)


def test_digits_are_not_taken_for_clothes(tmp_path: Path) -> None:
    datasets.write_made_up("fashion-mnist", tmp_path)
    (tmp_path / "FashionMNIST").rename(tmp_path / "MNIST")
    with pytest.raises(InputError):
        find_data(str(tmp_path / "MNIST/raw"))


def test_cifar_classes_that_do_not_fit(tmp_path: Path) -> None:
    options = datasets.write_made_up("cifar-100", tmp_path)
    train = Path(options["path"]) / "train"
    content = train.read_bytes()
    train.write_bytes(content.replace(b"fine_labels", b"fine_lapels"))
    with pytest.raises(InputError, match=r"an entry 'fine_labels', but got filenames, batch_label, fine_lapels"):
        datasets.load("cifar-100", **options)
    meta = Path(options["path"]) / "meta"
    train.write_bytes(content)
    meta.write_bytes(meta.read_bytes().replace(b"U\x05trees", b""))
    with pytest.raises(InputError, match=r"classes from 0 to 1, but got 0 to 2 at .*train"):
        datasets.load("cifar-100", **options)
