"""BREEDS from WordNet: a made-up one that holds ImageNet's ids, and the real one where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise import InputError, datasets
from cladewise.datasets.published.breeds import TASKS, ClassCandidates, candidates_of_wordnet, synset_rows
from cladewise.datasets.published.breeds.synset_rows import classes_by_row
from cladewise.datasets.published.imagenet.synset_lists import imagenet_classes
from cladewise.taxonomy.formats.wordnet import Synset, read_synsets

REAL = Path("/usr/share/wordnet/data.noun")  # Debian's wordnet-base
ROWS = synset_rows._table()["living-17"]
IDS = imagenet_classes()
ABOVE = {  # each coarse class of Living-17 is above five classes of ImageNet, none of them truly its own
    one: synset for k, synset in enumerate(ROWS.values()) for one in sorted(set(IDS) - set(ROWS.values()))[5 * k :][:5]
}


@pytest.fixture
def nouns(tmp_path: Path) -> Path:
    folder = tmp_path / "wordnet"
    folder.mkdir()
    lines = ["  1 A licence.", "00001740 03 n 01 entity 0 000 | that which is"]
    for one in sorted({*IDS, *ROWS.values()}):
        above = ABOVE.get(one, "n00001740")
        lines.append(f"{one[1:]} 05 n 02 name_of_{one} 0 other 0 001 @ {above[1:]} n 0000 | a gloss")
    (folder / "data.noun").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def imagenet(tmp_path: Path, draw) -> Path:
    for one in ABOVE:
        draw(f"train/{one}/0.jpg")
        draw(f"val/{one}/1.jpg")
    return tmp_path


def test_a_made_up_wordnet(nouns: Path, imagenet: Path) -> None:
    found = datasets.load("living-17", path=imagenet, wordnet=nouns, partial=True)
    tree = found.taxonomy
    assert [tree.path_name(v) for v in tree.level_nodes(1)] == list(ROWS)
    assert tree.num_leaves == 68
    assert {name: part.size for name, part in found.splits.items()} == {"train": 68, "test": 68}
    for path, node in zip(found.paths, found.nodes.tolist(), strict=True):
        one = path.split("/")[1]
        assert tree.names[node] == f"name of {one}"
        assert ROWS[str(tree.names[tree.parents[node]])] == ABOVE[one]
    assert found.source == {"kind": "living-17", "path": str(imagenet), "wordnet": str(nouns)}
    assert found.credit.endswith("drawn from WordNet by a table of cladewise's, not from the published hierarchy")
    again = datasets.open(found.source)
    assert again.paths == found.paths
    assert again.taxonomy == tree
    file = datasets.load("living-17", path=imagenet, wordnet=nouns / "data.noun", partial=True)  # the file itself
    assert file.paths == found.paths


def test_the_nearest_row_has_a_class_and_minus_takes_it_away() -> None:
    above = {"n0": (), "n1": ("n0",), "n2": ("n0",), "n3": ("n1",), "n4": ("n3", "n2"), "n5": ("n1", "n2")}
    synsets = {one: Synset(one, (one,), hypernyms, "") for one, hypernyms in above.items()}
    ids = ["n3", "n4", "n5"]
    assert classes_by_row({"a": "n1", "b": "n2"}, synsets, ids) == {"a": ["n3", "n5"], "b": ["n4"]}  # n5: the first
    assert classes_by_row({"b": "n2", "a": "n1"}, synsets, ids) == {"b": ["n4", "n5"], "a": ["n3"]}
    assert classes_by_row({"a": "n1 n4", "b": "n2"}, synsets, ids) == {"a": ["n3", "n4", "n5"], "b": []}
    assert classes_by_row({"a": "n0 -n3", "b": "n3"}, synsets, ids) == {"a": ["n5"], "b": ["n3", "n4"]}
    assert classes_by_row({"a": "n2 -n4"}, synsets, ids) == {"a": ["n5"]}


def test_what_is_wrong_with_a_wordnet_is_told(nouns: Path, imagenet: Path) -> None:
    with pytest.raises(InputError, match=r"WordNet's folder with its data\.noun, but got none .*nowhere\. .*3\.0"):
        candidates_of_wordnet("living-17", nouns / "nowhere")
    file = nouns / "data.noun"
    text = file.read_text()
    file.write_text(text.replace("\n01440764 ", "\n01440765 "))
    with pytest.raises(
        InputError, match=r"synsets of ImageNet in WordNet, but got none of 'n01440764' at .*data\.noun"
    ):
        candidates_of_wordnet("living-17", nouns)
    file.write_text(text.replace(f"@ {ROWS['crab'][1:]} ", "@ 00001740 "))  # no classes of crabs
    with pytest.raises(InputError, match=r"17 coarse classes with 4 classes of ImageNet each, but got 16 at .*wordnet"):
        datasets.load("living-17", path=imagenet, wordnet=nouns, partial=True)


def test_tables_have_the_coarse_classes_of_the_tasks() -> None:
    assert len(set(IDS)) == 1000
    tables = synset_rows._table()
    assert tables.keys() == TASKS.keys()
    for name, task in TASKS.items():
        assert len(tables[name]) == task.num_coarse
        for row in tables[name].values():
            words = row.split()
            assert len(set(words)) == len(words)
            assert all(word.removeprefix("-")[0] == "n" and word[-8:].isdigit() for word in words)


@pytest.fixture(scope="module")
def real() -> dict[str, ClassCandidates]:
    """Candidates of each task by the real WordNet, which takes a second to read."""
    if not REAL.is_file():
        pytest.skip("WordNet is not installed")
    synsets = read_synsets(REAL)
    names = {one: synsets[one].words[0] for one in IDS}
    return {
        name: ClassCandidates(classes_by_row(rows, synsets, IDS), names) for name, rows in synset_rows._table().items()
    }


@pytest.mark.parametrize("name", TASKS)
def test_real_wordnet_gives_every_task_its_classes(name: str, real: dict[str, ClassCandidates]) -> None:
    task, known = TASKS[name], real[name]
    assert min(len(classes) for classes in known.classes.values()) >= task.subclasses  # so that none is passed over
    drawn = known.draw(task, at=name)
    assert {len(classes) for classes in drawn.values()} == {task.subclasses}
    assert len({one for classes in drawn.values() for one in classes}) == task.num_coarse * task.subclasses


def test_classes_of_real_wordnet(real: dict[str, ClassCandidates]) -> None:
    """Late coarse classes of each task: they come out right only if those before them have as many to draw from."""

    def names(task: str, coarse: str) -> set[str]:
        return {real[task].names[one] for one in real[task].draw(TASKS[task], at=task)[coarse]}

    assert names("living-17", "dog") == {"bloodhound", "Pekinese", "Great Pyrenees", "papillon"}
    assert names("living-17", "monkey") == {"marmoset", "titi", "spider monkey", "howler monkey"}
    assert names("nonliving-26", "wind instrument") == {"oboe", "sax", "flute", "bassoon"}
    fruit = {"strawberry", "pineapple", "jackfruit", "Granny Smith", "buckeye", "corn", "ear", "acorn"}
    assert names("entity-30", "fruit") == fruit
