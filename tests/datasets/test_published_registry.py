"""Laws of every published dataset with made-up files, which a new one enters by being in the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import Count
from cladewise.datasets.finding import find_data
from cladewise.datasets.published.published_dataset import difference
from cladewise.datasets.published.registry import PUBLISHED
from cladewise.errors import InputWarning

MADE_UP = [name for name, entry in PUBLISHED.items() if entry.write_made_up]
RECOGNISED = [name for name in MADE_UP if PUBLISHED[name].recognises]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "made-up"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_facts_say_all_that_a_user_needs(name: str) -> None:
    entry = PUBLISHED[name]
    facts = datasets.facts(name)
    assert facts is entry.facts
    assert datasets.available()[name] == entry.description
    assert set(entry.required) <= set(entry.options)
    for text in (facts.licence, facts.citation, facts.where, *facts.notes, *facts.files, *facts.files.values()):
        assert text
        assert text == " ".join(text.split()), "one line"
    sizes = list(facts.levels.values())
    assert sizes == sorted(sizes)
    assert sizes or facts.num_leaves
    assert all(count > 0 for count in facts.images.values())
    if "path" in entry.required:
        assert facts.files


@pytest.mark.parametrize("name", MADE_UP)
def test_made_up_files_are_read(name: str, folder: Path) -> None:
    options = datasets.write_made_up(name, folder, images_per_class=3)
    assert options["partial"] is True
    found = datasets.load(name, **options)
    tree, facts = found.taxonomy, datasets.facts(name)
    assert not found.skipped
    assert found.name == found.source["kind"] == name
    assert found.credit
    if facts.levels:
        assert tree.level_names == tuple(facts.levels)
    for level, count in enumerate(facts.levels.values(), start=1):
        assert min(count, 2) <= tree.level_nodes(level).size <= count
    assert set(found.splits) >= set(facts.images)
    for split, images in found.splits.items():
        labels, counts = np.unique(found.nodes[images], return_counts=True)  # some may be internal nodes
        assert set(tree.leaf_nodes.tolist()) <= set(labels.tolist()), split
        assert (counts >= 3).all(), split
    assert sum(images.size for images in found.splits.values()) == len(found) == len(set(found.paths))
    with Image.open(found.root / found.paths[0]) as image:
        assert image.convert("RGB").size[0] >= 28
    tree.write(folder / "tree.csv")  # as a run stores it
    assert Taxonomy.read(folder / "tree.csv").fingerprint == tree.fingerprint
    again = datasets.open(found.source)
    assert (again.paths, again.taxonomy) == (found.paths, tree)
    np.testing.assert_array_equal(again.nodes, found.nodes)


@pytest.mark.parametrize("name", MADE_UP)
def test_made_up_files_depend_on_the_seed_alone(name: str, tmp_path: Path) -> None:
    found: list[dict[str, bytes]] = []
    for place, seed in (("a", 4), ("b", 4), ("c", 5)):
        datasets.write_made_up(name, tmp_path / place, seed=seed)
        files = files_of(tmp_path / place)
        found.append({file: content for file, content in files.items() if not file.endswith(".mat")})  # with the time
    first, same, other = found
    assert first == same
    assert first != other


@pytest.mark.parametrize("name", MADE_UP)
def test_numbers_that_are_not_the_published_ones_are_told(name: str, folder: Path) -> None:
    options: dict[str, Any] = datasets.write_made_up(name, folder)
    del options["partial"]
    with pytest.raises(InputError) as caught:
        datasets.load(name, **options)
    message = str(caught.value)
    assert message.startswith(f"Expected {name} as published: ")
    assert "pass partial=True" in message
    assert PUBLISHED[name].facts.where in message
    assert "\n" not in message
    counts = datasets.check(name, **options)
    assert [count.published for count in counts] == [count.published for count in PUBLISHED[name].facts.counts()]
    assert any(count.found != count.published for count in counts)
    assert all(count.found > 0 for count in counts)


@pytest.mark.parametrize("name", RECOGNISED)
def test_a_folder_in_the_layout_is_enough(name: str, folder: Path) -> None:
    options = datasets.write_made_up(name, folder)
    with pytest.warns(InputWarning, match=f"files in the layout of {name} with .* instead of "):
        found = find_data(str(options["path"]))
    assert found.name == name
    assert found.paths == datasets.load(name, **options).paths
    others = [other for other in RECOGNISED if other != name and PUBLISHED[other].recognises(Path(options["path"]))]
    assert others == []


@pytest.mark.parametrize("name", MADE_UP)
def test_an_empty_folder_tells_what_is_missing_and_where_to_get_it(name: str, tmp_path: Path, folder: Path) -> None:
    options: dict[str, Any] = datasets.write_made_up(name, folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        datasets.load(name, **{**options, "path": tmp_path / "empty"})
    message = str(caught.value)
    assert str(tmp_path / "empty") in message
    assert "\n" not in message
    with pytest.raises(InputError, match="a folder"):
        datasets.load(name, **{**options, "path": tmp_path / "nowhere"})


def test_what_cannot_be_made_up(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a dataset whose files can be made up: grocery-store, .* but got 'emoji'"):
        datasets.write_made_up("emoji", tmp_path)
    with pytest.raises(InputError, match=r"the name of a dataset: .* Did you mean cifar-100\?"):
        datasets.write_made_up("cifar-10", tmp_path)
    with pytest.raises(InputError, match="at least 1 image per class, but got 0"):
        datasets.write_made_up("cifar-100", tmp_path, images_per_class=0)


def test_only_differences_are_told() -> None:
    counts = [Count("classes", "a", 1000, 1000), Count("images", "train", 1200, 3)]
    assert difference(counts) == ("1,200 images of train", "3 images of train")
    assert difference(counts[:1]) is None
