"""JSON, YAML, Newick, folders and WordNet: what they may look like, and what each error says."""

# ruff: noqa: E501  (an error text stays on one line)

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read, write
from cladewise.taxonomy.formats.nested import taxonomy_from_nested
from cladewise.taxonomy.formats.newick import taxonomy_from_newick


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree][1 if tree.synthetic_root else 0 :]


class TestNested:
    def test_mappings_lists_and_names(self) -> None:
        tree = taxonomy_from_nested({"a": {"b": ["c", {"d": "e"}], "f": None}, "g": 1})
        assert paths(tree) == ["a", "a/b", "a/b/c", "a/b/d", "a/b/d/e", "a/f", "g", "g/1"]
        assert tree.synthetic_root

    def test_one_name_at_the_top_is_the_root_unless_it_is_blank(self) -> None:
        assert not taxonomy_from_nested({"a": ["b"]}).synthetic_root
        assert paths(taxonomy_from_nested({"": {"a": ["b"]}})) == ["a", "a/b"]

    def test_children(self) -> None:
        document = {"name": "r", "children": [{"name": "a", "size": 3, "children": [{"name": "a"}]}, {"name": "b"}]}
        tree = taxonomy_from_nested(document)
        assert paths(tree) == ["r", "r/a", "r/a/a", "r/b"]
        assert tree.columns["size"].tolist() == ["", "3", "", ""]

    def test_yaml_scalars_are_names(self, tmp_path: Path) -> None:
        file = tmp_path / "t.yaml"
        file.write_text("no:\n- on\n- 2020-01-01\n1.0:\n  ~:\n")
        assert paths(read(file)) == ["no", "no/on", "no/2020-01-01", "1.0", "1.0/~"]

    def test_yaml_makes_no_objects(self, tmp_path: Path) -> None:
        file = tmp_path / "t.yaml"
        file.write_text('a: !!python/object/apply:os.system ["exit 1"]\nb:\n')
        assert paths(read(file)) == ["a", "a/exit 1", "b"]

    @pytest.mark.parametrize(
        ("name", "content", "text"),
        [
            ("t.json", '{"a": 1,\n}', "Expected JSON, but got an error: Expecting property name enclosed in double quotes at {file}:2."),
            ("t.json", '{"a": ["b"], "a": []}', "Expected each name once in an object, but got 'a' twice at {file}."),
            ("t.json", "3", "Expected a mapping of names, but got 3 at {file}."),
            ("t.json", '{"a": [["b"]]}', "Expected names, or mappings of names, but got ['b'] under a at {file}."),
            ("t.json", '{"a": {"b": [true]}}', "Expected names, or mappings of names, but got True under a/b at {file}."),
            ("t.json", '{"a": [" "]}', "Expected a name for every node, but got a blank under a at {file}."),
            ("t.json", '{"a": ' * 3000 + "1" + "}" * 3000, "Expected a nesting that a parser can follow, but got one that is too deep at {file}."),
            ("t.json", '{"children": [{"name": "a", "children": ["b"]}]}', "Expected children that each have a name, but got ['b'] at {file}, a."),
            ("t.json", '{"children": [{"name": "a", "level": "x"}], "levels": ["y"]}', "Expected a level among 'y', but got 'x' at {file}, a."),
            ("t.yaml", "a: [b\nc: d\n", "Expected YAML, but got an error: expected ',' or ']', but got ':' at {file}:2."),
            ("t.yaml", "a:\n- b\na:\n- c\n", "Expected YAML, but got an error: the name 'a' twice at {file}:3."),
            ("t.yaml", "[a, b]: c\n", "Expected YAML, but got an error: a key that is not a name at {file}:1."),
            ("t.yaml", "a: \x00\n", "Expected YAML, but got an error: unacceptable character #x0000: special characters are not allowed at {file}."),
            ("t.yaml", "", "Expected a mapping of names, but got nothing at {file}."),
        ],
    )  # fmt: skip
    def test_errors(self, tmp_path: Path, name: str, content: str, text: str) -> None:
        file = tmp_path / name
        file.write_text(content)
        with pytest.raises(InputError) as error:
            read(file)
        assert str(error.value) == text.format(file=file)

    def test_a_wrong_byte(self, tmp_path: Path) -> None:
        file = tmp_path / "t.json"
        file.write_bytes(b'{"a":\n"\xe9"}')
        with pytest.raises(InputError) as error:
            read(file)
        assert str(error.value) == f"Expected UTF-8 text, but got byte 0xE9 at {file}:2. Save the file as UTF-8."


class TestNewick:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("(a,b)r;", ["r", "r/a", "r/b"]),
            ("(a:0.1,b:1e-3)r:2[c];", ["r", "r/a", "r/b"]),
            ("((a)b)c ;\n", ["c", "c/b", "c/b/a"]),
            ("(a,(b,c));", ["a", "unnamed_1", "unnamed_1/b", "unnamed_1/c"]),
            ("((a),unnamed_1);", ["unnamed_2", "unnamed_2/a", "unnamed_1"]),
            ("('it''s [x]',two words)r_s;", ["r_s", "r_s/it's [x]", "r_s/two words"]),
            ("[&R] (a[&x=1],b);", ["a", "b"]),
            ("a;", ["a"]),
        ],
    )
    def test_what_is_read(self, text: str, names: list[str]) -> None:
        assert paths(taxonomy_from_newick(text)) == names

    def test_a_chain_of_ten_thousand(self, tmp_path: Path) -> None:
        chain = Taxonomy(range(-1, 9_999), [f"n{k}" for k in range(10_000)])
        write(chain, tmp_path / "t.nwk")
        assert read(tmp_path / "t.nwk") == chain

    @pytest.mark.parametrize(
        ("text", "got"),
        [
            ("(a,b)", "none at the text:1"),
            ("(a,\nb;", "';' inside a bracket at the text:2"),
            ("(a,b));", "')' outside of all brackets at the text:1"),
            ("a,b;", "',' outside of all brackets at the text:1"),
            ("(a,b);(c,d);", "something after it at the text:1"),
            ("(a,'b);", "a quote or bracket that is not closed at the text:1"),
            ("(a,b[c);", "a quote or bracket that is not closed at the text:1"),
            ("(a(b));", "'(' after a name at the text:1"),
            ("(a 'b');", "two names for one node at the text:1"),
            ("(a:,b);", "',' where a branch length should be at the text:1"),
        ],
    )
    def test_errors(self, text: str, got: str) -> None:
        with pytest.raises(InputError) as error:
            taxonomy_from_newick(text)
        assert str(error.value) == f"Expected a Newick tree that ends in ';', but got {got}."

    def test_a_leaf_without_a_name(self) -> None:
        with pytest.raises(InputError, match="Expected a name for every node, but got a blank under r at the text"):
            taxonomy_from_newick("(a,)r;")


class TestFolders:
    def test_folders_are_labels_and_files_are_not(self, tmp_path: Path) -> None:
        for folder in ("b/y", "b/x/deep", "a", ".hidden/z"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "b" / "picture.jpg").touch()
        (tmp_path / "b" / "back").symlink_to(tmp_path / "b")
        (tmp_path / "c").symlink_to(tmp_path / "a")
        assert paths(read(tmp_path)) == ["a", "b", "b/x", "b/x/deep", "b/y", "c"]

    def test_errors(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error:
            read(tmp_path)
        assert str(error.value) == f"Expected a folder with folders in it, one a label, but got none at {tmp_path}."
        (tmp_path / "a").touch()
        with pytest.raises(InputError, match="Expected a folder, but got something else at"):
            read(tmp_path / "a", format="folders")
        tree = Taxonomy.from_paths([("a",)])
        with pytest.raises(InputError, match="Expected a new or empty folder, but got one with something in it at"):
            write(tree, tmp_path)
        for name in ("..", "x/y", ".z", "n" * 300):
            with pytest.raises(InputError, match="Expected a name that a folder can have"):
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
            'Pass parents="first" to keep the one that WordNet lists first.'
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
