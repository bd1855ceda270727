"""ImageNet and tieredImageNet-H from made-up files, with torchvision and real WordNet as oracles."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from torchvision.datasets import ImageNet

from cladewise import InputError, datasets
from cladewise.datasets import Dataset
from cladewise.datasets.published.imagenet.reading import from_imagenet
from cladewise.datasets.published.imagenet.synset_lists import first_words, imagenet_classes
from cladewise.datasets.published.imagenet.synset_trees import (
    ROOT,
    hypernym_graph,
    pairs_above,
    tree_of_longest_paths,
    tree_of_pairs,
)
from cladewise.datasets.published.imagenet.tiered import from_tiered_imagenet
from cladewise.datasets.published.pair_lines import read_pairs
from cladewise.taxonomy.formats.wordnet import read_synsets

REAL = Path("/usr/share/wordnet/data.noun")  # Debian's wordnet-base
NOUNS = {  # of each synset its words and hypernyms; a pet cat is a domestic cat and a pet, which has no other child
    "n00001740": ("entity", ()),
    ROOT: ("physical_entity", ("n00001740",)),
    "n00015388": ("animal", (ROOT,)),
    "n01317541": ("domestic_animal", ("n00015388",)),
    "n01318894": ("pet", ("n01317541",)),
    "n02084071": ("dog", ("n01317541",)),
    "n02099601": ("golden_retriever", ("n02084071",)),
    "n02106662": ("German_shepherd", ("n02084071",)),
    "n02121808": ("domestic_cat", ("n00015388",)),
    "n02123045": ("tabby", ("n02121808", "n01318894")),
    "n02123394": ("Persian_cat", ("n02121808",)),
    "n04524313": ("vehicle", (ROOT,)),
    "n02958343": ("car", ("n04524313",)),
    "n02701002": ("ambulance", ("n02958343",)),
    "n04285008": ("sports_car", ("n02958343",)),
    "n04467665": ("trailer_truck", ("n04524313",)),
    "n09193705": ("alp", (ROOT,)),
}


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Any]:
    return datasets.write_made_up("imagenet-1k", tmp_path / "files", images_per_class=3)


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    lines = ["  1 A licence."]
    for one, (word, above) in NOUNS.items():
        pointers = " ".join(f"@ {hypernym[1:]} n 0000" for hypernym in above)
        lines.append(f"{one[1:]} 05 n 01 {word} 0 {len(above):03d} {pointers} | a gloss")
    (tmp_path / "wordnet").mkdir()
    (tmp_path / "wordnet" / "data.noun").write_text("\n".join(lines) + "\n")
    return tmp_path / "wordnet"


def ids(dataset: Dataset, split: str) -> dict[str, str]:
    """WordNet id of each image of a split."""
    return {dataset.paths[i]: str(dataset.taxonomy.columns["id"][dataset.nodes[i]]) for i in dataset.splits[split]}


def test_classes_are_torchvisions(made: dict[str, Any]) -> None:
    root = Path(made["path"])
    found = datasets.load("imagenet-1k", **made)
    classes = {one: (first_words()[one],) for one in imagenet_classes()}
    torch.save((classes, []), root / "meta.bin")
    for split, folder in (("train", "train"), ("test", "val")):
        theirs = ImageNet(root, folder)
        assert ids(found, split) == {
            Path(file).relative_to(root).as_posix(): theirs.wnids[number] for file, number in theirs.imgs
        }
        assert len(theirs) == 24
    assert found.taxonomy.names[found.taxonomy.find("n02099601")] == "golden retriever"
    assert datasets.open(found.source).paths == found.paths


def kits(root: Path, truth: dict[str, str]) -> None:
    """The development kit, in which classes are numbered in an order of its own and inner synsets have numbers too."""
    every = [*sorted(set(truth.values()), reverse=True), "n00015388"]
    rows = np.zeros((len(every), 1), dtype=[("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)])
    for number, one in enumerate(every):
        rows[number, 0] = (float(number + 1), one, float(one == "n00015388"))
    data = root / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    scipy.io.savemat(data / "meta.mat", {"synsets": rows})
    numbers = [every.index(truth[image]) + 1 for image in sorted(truth)]
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(map(str, numbers)))


def test_validation_images_in_one_folder(made: dict[str, Any]) -> None:
    root = Path(made["path"])
    expected = {Path(path).name: one for path, one in ids(from_imagenet(root, made["hierarchy"]), "test").items()}
    for file in list((root / "val").glob("*/*")):
        file.rename(root / "val" / file.name)
    for folder in (root / "val").glob("n*"):
        folder.rmdir()
    with pytest.raises(InputError, match=r"folders of classes in val/, or LOC_val_solution\.csv or ILSVRC2012_devkit"):
        from_imagenet(root, made["hierarchy"])

    def checked() -> None:
        found = ids(from_imagenet(root, made["hierarchy"]), "test")
        assert {Path(path).name: one for path, one in found.items()} == expected

    kits(root, {Path(name).stem: one for name, one in expected.items()})
    checked()
    meta = root / "ILSVRC2012_devkit_t12" / "data" / "meta.mat"
    content = meta.read_bytes()
    for damaged in (b"", content[:200]):
        meta.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a file of MATLAB 5 to 7, but got .*ILSVRC2012_devkit_t12, meta\.mat"):
            checked()
    meta.write_bytes(content)
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as archive:
        archive.add(root / "ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12")
    shutil.rmtree(root / "ILSVRC2012_devkit_t12")
    checked()
    rows = [f"{Path(name).stem},{one} 1 2 3 4 {one} 5 6 7 8 " for name, one in reversed(expected.items())]
    solution = root / "LOC_val_solution.csv"
    solution.write_text("\n".join(["ImageId,PredictionString", *rows]))
    checked()
    solution.write_text("\n".join(["ImageId,PredictionString", *rows[1:]]))
    with pytest.raises(InputError, match=r"validation images with a class, but got 1 without, such as ILSVRC2012_val"):
        checked()
    solution.write_text("\n".join(["ImageId,PredictionString", *rows[:2], "x,dog"]))
    with pytest.raises(InputError, match=r"a WordNet id before the boxes, but got none at .*solution\.csv:4"):
        checked()
    solution.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"columns ImageId and PredictionString, but got an error: .*ImageId"):
        checked()


def test_folders_of_kaggle(made: dict[str, Any]) -> None:
    root = Path(made["path"])
    before = from_imagenet(root, made["hierarchy"])
    inner = root / "ILSVRC" / "Data" / "CLS-LOC"
    inner.mkdir(parents=True)
    for split in ("train", "val"):
        (root / split).rename(inner / split)
    found = from_imagenet(root, made["hierarchy"])
    for split in ("train", "test"):
        expected = {f"ILSVRC/Data/CLS-LOC/{path}": one for path, one in ids(before, split).items()}
        assert ids(found, split) == expected


def test_trees_from_wordnet(made: dict[str, Any], wordnet: Path) -> None:
    published = datasets.load("imagenet-1k", **made).taxonomy
    found = datasets.load("imagenet-1k", path=made["path"], wordnet=wordnet, partial=True)
    derived = found.taxonomy
    edges = [
        {(str(t.columns["id"][t.parents[v]]), str(t.columns["id"][v])) for v in range(1, t.num_nodes)}
        for t in (published, derived)
    ]
    # the longest path of a tabby leads over pet, so that the domestic cat has one child and is left out
    moved = {
        ("n00015388", "n02121808"),
        ("n02121808", "n02123045"),
        ("n02121808", "n02123394"),
        ("n00015388", "n02084071"),
    }
    assert edges[0] - edges[1] == moved
    assert edges[1] - edges[0] == {
        ("n00015388", "n01317541"), ("n01317541", "n02123045"), ("n00015388", "n02123394"), ("n01317541", "n02084071"),
    }  # fmt: skip
    assert found.source == {"kind": "imagenet-1k", "path": made["path"], "wordnet": str(wordnet)}
    graph = datasets.load("imagenet-1k", path=made["path"], wordnet=wordnet, parents="all", partial=True)
    tree = graph.taxonomy
    assert tree.has_further_parents
    assert {str(tree.columns["id"][v]) for v in tree.leaf_nodes} == set(ids(graph, "train").values())
    tabby = tree.find("n02123045")
    # a pet would have no child in the tree, so its parent takes its place
    assert [str(tree.names[v]) for v in tree.all_parents(tabby)] == ["domestic cat", "domestic animal"]
    assert datasets.open(graph.source).taxonomy == tree


def test_options_that_are_wrong(made: dict[str, Any], wordnet: Path, tmp_path: Path) -> None:
    root, isa = made["path"], Path(made["hierarchy"]) / "data" / "imagenet_isa.txt"
    with pytest.raises(InputError, match="either hierarchy= or wordnet=, but got none"):
        from_imagenet(root)
    with pytest.raises(InputError, match="either hierarchy= or wordnet=, but got both"):
        from_imagenet(root, isa, wordnet)
    with pytest.raises(InputError, match=r'wordnet= with parents="all", but got hierarchy='):
        from_imagenet(root, isa, parents="all")
    with pytest.raises(InputError, match="parents"):
        from_imagenet(root, isa, parents="some")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"1,000 leaves, 1,372 nodes, 1,281,167 images of train"):
        datasets.load("imagenet-1k", path=root, hierarchy=isa)
    with pytest.raises(InputError, match=r"published: 1,000 leaves, 1,281,167 images"):
        datasets.load("imagenet-1k", path=root, wordnet=wordnet, parents="all")
    isa.write_text(isa.read_text() + "one\n")
    with pytest.raises(InputError, match=r"two entries per line, but got 'one' at .*imagenet_isa\.txt:14"):
        from_imagenet(root, isa)
    isa.write_text("".join(line for line in isa.read_text().splitlines(keepends=True) if "n09193705" not in line)[:-4])
    with pytest.raises(InputError, match=r"classes of the tree, but got 'n09193705' at .*imagenet_isa"):
        from_imagenet(root, isa)
    (wordnet / "data.noun").write_text((wordnet / "data.noun").read_text().replace("\n09193705", "\n09193706"))
    for parents in ("one", "all"):
        with pytest.raises(
            InputError, match=r"synsets of ImageNet in WordNet, but got none of 'n09193705'.*WordNet 3\.0"
        ):
            from_imagenet(root, wordnet=wordnet, parents=parents)
    (tmp_path / "empty" / "train").mkdir(parents=True)
    (tmp_path / "empty" / "val").mkdir()
    (tmp_path / "empty" / "train" / "n01440764.tar").touch()
    with pytest.raises(InputError, match=r"folders of classes like n01440764, but got tar files at .*train.*image-net"):
        from_imagenet(tmp_path / "empty", isa)


def test_tiered_imagenet(tmp_path: Path) -> None:
    options = datasets.write_made_up("tiered-imagenet-h", tmp_path, images_per_class=2)
    found = datasets.load("tiered-imagenet-h", **options)
    assert {split: part.size for split, part in found.splits.items()} == {"train": 16, "val": 16, "test": 16}
    for split in found.splits:
        assert {path.split("/")[0] for path in ids(found, split)} == {"val" if split == "test" else "train"}
        assert all(path.split("/")[1] == one for path, one in ids(found, split).items())
    assert datasets.open(found.source).paths == found.paths
    root = Path(options["path"])
    expected = {split: {Path(path).name: one for path, one in ids(found, split).items()} for split in found.splits}
    for file in list((root / "val").glob("*/*")):  # validation images in one folder
        file.rename(root / "val" / file.name)
    for folder in (root / "val").glob("n*"):
        folder.rmdir()
    flat = from_tiered_imagenet(root, options["hierarchy"])
    assert {
        split: {Path(path).name: one for path, one in ids(flat, split).items()} for split in flat.splits
    } == expected
    by_lists = tmp_path / "sorted"  # as the authors' readers want them
    for split in flat.splits:
        for path, one in ids(flat, split).items():
            place = by_lists / split / one / Path(path).name
            place.parent.mkdir(parents=True, exist_ok=True)
            (root / path).rename(place)
    again = from_tiered_imagenet(by_lists, options["hierarchy"])
    assert {
        split: {Path(path).name: one for path, one in ids(again, split).items()} for split in again.splits
    } == expected
    with pytest.raises(InputError, match=r"608 leaves, 843 nodes, but got 8 leaves, 14 nodes"):
        datasets.load("tiered-imagenet-h", path=by_lists, hierarchy=options["hierarchy"])
    with pytest.raises(
        InputError, match=r"the file data/tiered_imagenet_isa\.txt, but got none.*making-better-mistakes"
    ):
        from_tiered_imagenet(by_lists, by_lists)


@pytest.fixture(scope="module")
def real() -> Path:
    if not REAL.is_file():
        pytest.skip("WordNet is not installed")
    return REAL


def test_the_published_tree_follows_from_wordnet(real: Path) -> None:
    """All counts of the published tree, and edges of it where a choice was made."""
    tree = tree_of_pairs(tree_of_longest_paths(read_synsets(real), imagenet_classes(), "here"), {})
    assert (tree.num_nodes, tree.num_leaves) == (1372, 1000)
    depths = tree.depth[tree.leaf_nodes]
    assert (depths.min(), depths.max()) == (3, 15)
    assert (tree.num_children != 1).all()
    names = tree.names.tolist()
    published = {
        "n03773504": "n04565375", "n06596364": "n00021939", "n03998194": "n03405265", "n03876231": "n03183080",
        "n04004767": "n03699975", "n04149813": "n04217882", "n06874185": "n04217882", "n04389033": "n04170037",
        "n02799071": "n02778669", "n03314780": "n03714235", "n09193705": "n09359803", "n07711569": "n07707451",
    }  # fmt: skip
    for child, parent in published.items():
        assert names[tree.parents[names.index(child)]] == parent, child


def test_the_graph_of_real_wordnet_has_the_classes_as_leaves(real: Path) -> None:
    classes = imagenet_classes()
    tree = hypernym_graph(real, classes)
    assert set(tree.columns["id"][tree.leaf_nodes]) == set(classes)
    assert len(tree.further_parents) > 50
    synsets = read_synsets(real)
    kept = set(tree.columns["id"].tolist())
    for one in classes[::7]:  # every ancestor that is kept is above the class, by whatever path
        above, todo = set[str](), [one]
        while todo:
            new = set(synsets[todo.pop()].hypernyms) - above
            above |= new
            todo += new
        node = tree.find(one)
        assert {str(tree.columns["id"][v]) for v in tree.ancestors(node)} - {one} == above & kept, one


def test_pairs_above_a_part_of_the_classes(made: dict[str, Any]) -> None:
    pairs = read_pairs(Path(made["hierarchy"]) / "data" / "imagenet_isa.txt")
    part = tree_of_pairs(pairs_above(pairs, ["n02701002", "n09193705"], "here"), first_words())
    assert [part.path_name(v) for v in part.leaf_nodes] == [
        "physical entity/vehicle/car/ambulance",
        "physical entity/alp",
    ]
