"""Newick and NEXUS as tools write them: what is read, what is told, and what each refusal says."""

# ruff: noqa: E501  (an error text stays on one line)

from __future__ import annotations

import os
import random
import warnings
from pathlib import Path

import pytest

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, check, read, write
from cladewise.taxonomy.formats.phylogenies.newick import newick_from_taxonomy, taxonomy_from_newick


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree][1 if tree.synthetic_root else 0 :]


@pytest.mark.filterwarnings("error::cladewise.errors.InputWarning")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("(a,b)r;", ["r", "r/a", "r/b"]),
        ("a;", ["a"]),
        ("((a)b)c ;\n", ["c", "c/b", "c/b/a"]),
        # branch lengths, comments, NHX and BEAST annotations are skipped
        ("(a:0.1,b:1e-3)r:2[c];", ["r", "r/a", "r/b"]),
        ("[&R] (a[&x=1],b:[&rate={0.1,2}]1)[95];", ["a", "b"]),
        ("(a[&&NHX:S=human:E=1.1],b)r;", ["r", "r/a", "r/b"]),
        # quotes of both kinds, and the doubled apostrophe that scikit-bio writes without them
        ("('it''s [x]',two words)r;", ["r", "r/it's [x]", "r/two words"]),
        ('("Homo sapiens","a ""b"" c")Hominidae;', ["Hominidae", "Hominidae/Homo sapiens", 'Hominidae/a "b" c']),
        ("(it''s,''tis,dq\"x)r;", ["r", "r/it's", "r/'tis", 'r/dq"x']),
        ("(Burton's,dogs')r;", ["r", "r/Burton's", "r/dogs'"]),
        # one tree after a count of trees, as PHYLIP writes it
        ("1\n(a,b)r;", ["r", "r/a", "r/b"]),
        # numbers are names where the leaves are numbers too, or where they are quoted
        ("((1,2)3,4)5;", ["5", "5/3", "5/3/1", "5/3/2", "5/4"]),
        ("((a,b)'95',c)r;", ["r", "r/95", "r/95/a", "r/95/b", "r/c"]),
    ],
)
def test_what_is_read(text: str, names: list[str]) -> None:
    assert paths(taxonomy_from_newick(text)) == names


@pytest.mark.parametrize(
    ("text", "names", "told"),
    [
        ("(a,(b,c));", ["a", "unnamed_1", "unnamed_1/b", "unnamed_1/c"], "1 internal node without a name"),
        ("((a)'unnamed_1',(b));", ["unnamed_1", "unnamed_1/a", "unnamed_2", "unnamed_2/b"], "1 internal node without"),
        ("((A,B)95,C)r;", ["r", "r/95", "r/95/A", "r/95/B", "r/C"], "1 internal node whose name is a number, such as '95'"),
        ("((A,B)99.5/100,C)r;", ["r", r"r/99.5\/100", r"r/99.5\/100/A", r"r/99.5\/100/B", "r/C"], "probably support values"),
        ("(a_b,c)r;", ["r", "r/a_b", "r/c"], "1 name with unquoted underscores, such as 'a_b', kept"),
        ("(a_b,'c d','e_f')r;", ["r", "r/a_b", "r/c d", "r/e_f"], "1 name with unquoted underscores"),
        ("(a,a)r;", ["r", "r/a", "r/a"], None),
    ],
)  # fmt: skip
def test_what_is_told(text: str, names: list[str], told: str | None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert paths(taxonomy_from_newick(text)) == names
    assert [told in str(warning.message) for warning in caught] == ([True] if told else [])


@pytest.mark.filterwarnings("error::cladewise.errors.InputWarning")
def test_underscores_are_what_the_writer_of_the_file_meant() -> None:
    dendropy, biopython = "(two_words,'a_b')r;", "('two words',a_b)r;"
    assert paths(taxonomy_from_newick(dendropy)) == ["r", "r/two words", "r/a_b"]
    assert paths(taxonomy_from_newick(biopython)) == ["r", "r/two words", "r/a_b"]
    assert paths(taxonomy_from_newick(dendropy, underscores="keep")) == ["r", "r/two_words", "r/a_b"]
    assert paths(taxonomy_from_newick(biopython, underscores="blanks")) == ["r", "r/two words", "r/a b"]


@pytest.mark.filterwarnings("error::cladewise.errors.InputWarning:cladewise.taxonomy.formats.phylogenies.newick_names")
def test_support_values_are_dropped_if_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "t.nwk"
    file.write_text("((A,B)95,(C,D)95)100;")
    assert paths(read(file, support="names"))[:2] == ["100", "100/95"]
    with pytest.warns(InputWarning, match="2 internal nodes without a name"):
        dropped = read(file, support="drop")
    assert paths(dropped) == ["unnamed_1", "unnamed_1/A", "unnamed_1/B", "unnamed_2", "unnamed_2/C", "unnamed_2/D"]
    assert dropped.synthetic_root
    (problem,) = (p for p in check(file) if p.kind == "ambiguous")
    assert 'Pass support="drop"' in problem.advice


NEXUS = """#NEXUS
begin taxa;
  dimensions ntax=3;
  taxlabels wren 'two words' it''s;
end;
begin trees;
  title trees;
  {body}
end;
"""


@pytest.mark.filterwarnings("error::cladewise.errors.InputWarning")
@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("tree one = (wren,robin)bird;", ["bird", "bird/wren", "bird/robin"]),
        ("utree * one = [&R] (wren:1,robin:2)bird;", ["bird", "bird/wren", "bird/robin"]),
        ("TREE 'my tree' [&lnP=-1] = [&U] (wren,'a b')bird;", ["bird", "bird/wren", "bird/a b"]),
        ("translate\n 1 wren,\n 2 'two words'\n ;\n tree one = (1,2)bird;", ["bird", "bird/wren", "bird/two words"]),
        ("tree one = (1,2)bird;", ["bird", "bird/wren", "bird/two words"]),
        # only leaves are translated: a number at an internal node is none of the taxa
        ("translate 1 wren, 2 'two words'; tree one = ((1,2)'2')'1';", ["1", "1/2", "1/2/wren", "1/2/two words"]),
        ("tree one = ((wren)'1')bird;", ["bird", "bird/1", "bird/1/wren"]),
    ],
)
def test_the_tree_of_a_nexus_file(tmp_path: Path, body: str, names: list[str]) -> None:
    for name in ("t.nex", "t.tre"):
        (tmp_path / name).write_text(NEXUS.replace("{body}", body))
        assert paths(read(tmp_path / name)) == names


def test_nexus_files_without_one_tree_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.nexus"
    for body, got in [
        ("tree a = (x,y); tree b = (x,y);", "got 2 trees at .*nexus. Keep one tree"),
        ("title nothing;", "got none in a block that begins with 'begin trees;'"),
        ("translate 1 a b, 2 c; tree a = (1,2);", "got 3 words instead of a label and its name"),
        ("tree (x,y);", "got a tree without '=' before it"),
    ]:
        file.write_text(NEXUS.replace("{body}", body))
        with pytest.raises(InputError, match=got):
            read(file)


def test_a_chain_of_ten_thousand(tmp_path: Path) -> None:
    chain = Taxonomy(range(-1, 9_999), [f"n{k}" for k in range(10_000)])
    write(chain, tmp_path / "t.nwk")
    assert read(tmp_path / "t.nwk") == chain


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("(a,b)", "none at the text:1."),
        ("(a,\nb;", "';' inside a bracket at the text:2."),
        ("(a,b));", "')' outside of all brackets at the text:1."),
        ("a,b;", "',' outside of all brackets at the text:1."),
        ("(a,'b);", "a quote or bracket that is not closed at the text:1."),
        ("(a,b[c);", "a quote or bracket that is not closed at the text:1."),
        ("(a(b));", "'(' after a name at the text:1."),
        ("(a 'b');", "two names for one node at the text:1."),
        ("('it's',b);", "two names for one node at the text:1."),
        ("(a:,b);", "',' where a branch length should be at the text:1."),
        ("(a:b,c);", "'b' where a branch length should be at the text:1. Put names with a colon in quotes."),
        ("(a:1:2,c);", "two branch lengths of one node at the text:1."),
        ("(a:1 b,c);", "'1 b' where a branch length should be at the text:1. Put names with a colon in quotes."),
        ("(a\nb,c);", "a name that goes on in the next line at the text:1. Is there a comma missing?"),
        ("('',c);", "quotes without a name between them at the text:1."),
        ("(a,b);x", "something after it at the text:1."),
    ],
)
def test_errors(text: str, got: str) -> None:
    with pytest.raises(InputError) as error:
        taxonomy_from_newick(text)
    assert str(error.value) == f"Expected a Newick tree that ends in ';', but got {got}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a,b)r;\n(c,d)s;\n", "Expected one tree, but got 2 trees at the text. Keep one of them."),
        ("2\n(a,b)r;\n(c,d)s;\n", "Expected one tree, but got 2 trees at the text. Keep one of them."),
        ("3\n(a,b)r;", "Expected one tree, but got a first line that announces 3 trees at the text. Keep one of them."),
        ("(a,)r;", "Expected a name for every node, but got a blank under r at the text."),
        ("(X#H1,(Y)X#H1)r;", "Expected a tree, but got a network: '#H1' has several parents at the text."),
        ("", "Expected a known form: NEXUS (begins with #NEXUS); Newick ((lion,tiger)cat;), but got an empty file, which matches none of them at the text."),
        ("<nexml>", "Expected a known form: NEXUS (begins with #NEXUS); Newick ((lion,tiger)cat;), but got text that begins with <nexml>, which matches none of them at the text."),
    ],
)  # fmt: skip
def test_what_is_no_one_tree_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        taxonomy_from_newick(text)
    assert str(error.value) == message


def test_names_are_written_so_that_every_reader_takes_them_for_what_they_are() -> None:
    tree = Taxonomy.from_parents([-1, 0, 1, 1, 0, 0], ["top", "1", "a_b", "2", "it's", "two words"])
    assert newick_from_taxonomy(tree) == "(('a_b',2)'1','it''s','two words')top;"


def test_what_newick_cannot_hold_is_told(tmp_path: Path) -> None:
    tree = Taxonomy([-1, 0], ["r", "a"], columns={"id": ["1", "2"]})
    with pytest.warns(InputWarning, match="cannot hold them: the column id at"):
        write(tree, tmp_path / "t.nwk")


NUM_TEXTS = int(os.environ.get("CLADEWISE_MUTATIONS", "1000"))
PIECES = [
    "(",
    ")",
    ",",
    ";",
    ":",
    "'",
    '"',
    "''",
    "[",
    "]",
    "a",
    "b_c",
    "95",
    " ",
    "\n",
    "#NEXUS\n",
    "begin trees;",
    "tree x = ",
]
PIECES += ["end;", "translate ", "1", "=", "é", "[&R]", "\0", "0.1"]


def test_anything_is_a_tree_or_one_line() -> None:
    trees = 0
    for seed in range(NUM_TEXTS):
        chance = random.Random(seed)
        text = "".join(chance.choices(PIECES, k=chance.randrange(30)))
        if chance.random() < 0.7:  # brackets that match, for deeper damage than a first wrong character
            text = f"({text.replace('(', '').replace(')', '')},a)b;"
        text = f"#NEXUS\nbegin trees;\n tree t = {text};\nend;" if chance.random() < 0.3 else text
        try:
            found = repr(taxonomy_from_newick(text))
            trees += 1
        except InputError as error:
            found = str(error)
        assert found.startswith(("Taxonomy(", "Expected ")), f"seed {seed}: {text!r}"
        assert "\n" not in found, f"seed {seed}: {text!r}"
    assert NUM_TEXTS / 50 < trees < NUM_TEXTS


def test_a_semicolon_in_a_taxon_label_of_nexus() -> None:
    for labels in ("':;' 1", "it's 1", "'a;b' [;] 1"):
        text = f"#NEXUS\nbegin taxa; taxlabels {labels}; end;\nbegin trees; tree t = (x,1)r; end;"
        assert taxonomy_from_newick(text).names.tolist() == ["r", "x", "1"]
