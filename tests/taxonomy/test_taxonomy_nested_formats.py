"""Folders and WordNet: what they may look like, and what each error says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read, write


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree][1 if tree.synthetic_root else 0 :]


class TestFolders:
    def test_folders_are_labels_and_files_are_not(self, tmp_path: Path) -> None:
        for folder in ("b/y", "b/x/deep", "a", ".hidden/z"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "b" / "picture.jpg").touch()
        (tmp_path / "b" / "back").symlink_to(tmp_path / "b")
        (tmp_path / "c").symlink_to(tmp_path / "a")
        assert paths(read(tmp_path)) == ["a", "b", "b/x", "b/x/deep", "b/y", "c"]

    def test_the_folder_of_a_run_is_no_tree(self, tmp_path: Path) -> None:
        (tmp_path / "evaluations").mkdir()
        for name in ("config.toml", "taxonomy.csv"):
            (tmp_path / name).touch()
        with pytest.raises(InputError, match=r"the folder of a run at .*Its label tree is .*taxonomy\.csv"):
            read(tmp_path)

    def test_errors(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error:
            read(tmp_path)
        assert str(error.value) == f"Expected a folder with one subfolder per label, but got none at {tmp_path}."
        (tmp_path / "a").touch()
        with pytest.raises(InputError, match="Expected a folder, but got something else at"):
            read(tmp_path / "a", format="folders")
        tree = Taxonomy.from_paths([("a",)])
        with pytest.raises(InputError, match="Expected a new or empty folder, but got one that is not empty at"):
            write(tree, tmp_path)
        for name in ("..", "x/y", ".z", "n" * 300):
            with pytest.raises(InputError, match="Expected a valid folder name"):
                write(Taxonomy.from_paths([(name,)]), tmp_path / "out")
        with pytest.raises(InputError, match="Expected children of a node with different names, but got two of 'a'"):
            write(Taxonomy([-1, 0, 0], ["", "a", "a"]), tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


WORDNET = """\
  1 A licence.
00000001 03 n 01 entity 0 002 ~ 00000002 n 0000 ~ 00000003 n 0000 | that which is
00000002 03 n 02 animal 0 living_beast 0 001 @ 00000001 n 0000 | it moves
00000003 03 n 01 pet 0 001 @ 00000001 n 0000 | it is kept
00000004 03 n 02 dog 0 domestic_dog 0 003 @ 00000002 n 0000 @ 00000003 n 0000 ~ 00000005 n 0000 | it barks; "bow"
00000005 18 n 01 Rex 0 002 @i 00000004 n 0000 + 00000009 v 0101 | one of them
"""


class TestWordNet:
    @pytest.fixture
    def wordnet(self, tmp_path: Path) -> Path:
        (tmp_path / "data.noun").write_text(WORDNET)
        return tmp_path

    def test_synsets_with_their_ancestors(self, wordnet: Path) -> None:
        tree = read(wordnet, ids=["n00000005"], parents="first")
        assert paths(tree) == ["entity", "entity/animal", "entity/animal/dog", "entity/animal/dog/Rex"]
        assert tree.columns["id"].tolist() == ["n00000001", "n00000002", "n00000004", "n00000005"]
        assert tree.columns["words"][1:3].tolist() == ["animal, living beast", "dog, domestic dog"]
        assert tree.columns["description"][2] == 'it barks; "bow"'
        last = read(wordnet / "data.noun", ids=["n00000005"], parents="last")
        assert paths(last)[-1] == "entity/pet/dog/Rex"

    def test_the_whole_and_a_list_in_a_file(self, wordnet: Path) -> None:
        assert read(wordnet, parents="first").num_nodes == 5
        (wordnet / "ids.txt").write_text("n00000002\nn00000003\n")
        assert paths(read(wordnet, ids=wordnet / "ids.txt")) == ["entity", "entity/animal", "entity/pet"]

    def test_errors(self, wordnet: Path) -> None:
        file = wordnet / "data.noun"
        with pytest.raises(InputError) as error:
            read(wordnet, ids=["n00000005"])
        assert str(error.value) == (
            f"Expected one hypernym for each synset, but got 1 with several: 'dog (n00000004)' at {file}. "
            'Pass parents="all" to keep them, or parents="first" to keep the one that WordNet lists first.'
        )
        with pytest.raises(InputError, match="Expected synsets of this WordNet, like n02084071, but got 'n9'"):
            read(wordnet, ids=["n9"])
        file.write_text(WORDNET + "00000006 18 n 05 broken\n")
        with pytest.raises(
            InputError, match=r"Expected a line of WordNet's data\.noun, but got 00000006 .*data\.noun:7"
        ):
            read(wordnet)
        file.write_text(WORDNET.replace("@ 00000002", "@ 00000042"))
        with pytest.raises(InputError, match="Expected hypernyms that the file has, but got 'n00000042'"):
            read(wordnet, parents="first")


IMAGENET = Path("/usr/share/wordnet/data.noun")


@pytest.mark.skipif(not IMAGENET.exists(), reason="needs WordNet 3.0 in /usr/share/wordnet")
@pytest.mark.slow
def test_imagenet() -> None:
    timm = pytest.importorskip("timm")
    ids = Path(timm.__file__).parent / "data" / "_info" / "imagenet_synsets.txt"
    with pytest.raises(InputError, match="75 with several"):
        read(IMAGENET, ids=ids)
    tree = read(IMAGENET, ids=ids, parents="first")
    assert tree.num_leaves == 1000
    assert str(tree.names[0]) == "entity"
    assert sorted(tree.columns["id"][tree.leaf_nodes].tolist()) == sorted(ids.read_text().split())
