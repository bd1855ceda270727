"""A table is read in the one form that its content shows, or refused with the option that decides."""

# ruff: noqa: E501  (a case stays on one line)

from __future__ import annotations

import gzip
import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, check, read


def written(folder: Path, content: str | bytes, name: str = "classes.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree if node or not tree.synthetic_root]


def silently(path: Path, **options: Any) -> Taxonomy:
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        return read(path, **options)


BIRDS = ["bird", "bird/wren", "bird/robin"]

EDGES = {
    "source and target": "source,target\nbird,wren\nbird,robin\n",
    "source and target, the other way round": "source,target\nwren,bird\nrobin,bird\n",
    "from and to": "from,to\nbird,wren\nbird,robin\n",
    "triples": "subject,predicate,object\nwren,is_a,bird\nrobin,is_a,bird\n",
    "superclass": "class,superclass\nwren,bird\nrobin,bird\n",
    "supercategory": "id,name,supercategory\n1,wren,bird\n2,robin,bird\n",
    "hypernym": "synset,hypernym\nwren,bird\nrobin,bird\n",
    "broader": "concept,prefLabel,broader\nc1,bird,\nc2,wren,c1\nc3,robin,c1\n",
    "OWL": "Class,SubClassOf\nwren,bird\nrobin,bird\n",
    "is_a": "term,is_a\nwren,bird\nrobin,bird\n",
    "ITIS": "tsn,parent_tsn,complete_name\n1,0,bird\n2,1,wren\n3,1,robin\n",
    "taxon ids": "taxon_id,parent_taxon_id,taxon_name\n10,,bird\n11,10,wren\n12,10,robin\n",
    "NCBI": "tax_id,parent_taxid,rank,name\n1,1,no rank,bird\n2,1,species,wren\n3,1,species,robin\n",
    "camel case": "nodeId,parentNodeId,nodeName\nx,,bird\ny,x,wren\nz,x,robin\n",
    "minus one": "id,parent,name\n1,-1,bird\n2,1,wren\n3,1,robin\n",
    "zero": "id,parent,name\n1,0,bird\n2,1,wren\n3,1,robin\n",
    "the root is its own parent": "child,parent\nbird,bird\nwren,bird\nrobin,bird\n",
    "parents first": "parent,child\nbird,wren\nbird,robin\n",
    "ids and names of parents": "id,parent_id,parent_name,name\n1,,,bird\n2,1,bird,wren\n3,1,bird,robin\n",
    "bars between tabs": "uid\t|\tparent_uid\t|\tname\t|\trank\t|\t\n1\t|\t\t|\tbird\t|\ta\t|\t\n2\t|\t1\t|\twren\t|\tb\t|\n3\t|\t1\t|\trobin\t|\tb\t|\t\n",
    "SKOS in a table": "Concept,Preferred Label,Broader Concept\ne:1,bird,\ne:2,wren,e:1\ne:3,robin,e:1\n",
    "German": "Nummer;Bezeichnung;Übergeordnet\n1;bird;\n2;wren;1\n3;robin;1\n",
    "French": "libellé,père\nbird,\nwren,bird\nrobin,bird\n",
    "Spanish": "nombre,padre\nbird,\nwren,bird\nrobin,bird\n",
    "Chinese": "名称,父级\nbird,\nwren,bird\nrobin,bird\n",
    "a further column that holds parents too": "child,parent,group\nwren,bird,bird\nrobin,bird,bird\n",
}


@pytest.mark.parametrize("content", EDGES.values(), ids=EDGES.keys())
def test_edge_lists_under_any_common_names(tmp_path: Path, content: str) -> None:
    tree = silently(written(tmp_path, content))
    assert (paths(tree), tree.synthetic_root) == (BIRDS, False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "order;family\nbird;wren\nbird;robin\n"),
        ("t.csv", "order|family\nbird|wren\nbird|robin\n"),
        ("t.csv", "order\tfamily\nbird\twren\nbird\trobin\n"),
        ("t.tsv", "order,family\nbird,wren\nbird,robin\n"),
        ("t.csv", "sep=;\norder;family\nbird;wren\nbird;robin\n"),
        ("t.csv", "\n\norder,family\nbird,wren\n\nbird,robin\n\n"),
        ("t.csv", "order,family\rbird,wren\rbird,robin\r"),
        ("t.csv", gzip.compress(b"order,family\nbird,wren\nbird,robin\n", mtime=0)),
        ("t.csv.gz", gzip.compress(b"order,family\nbird,wren\nbird,robin\n", mtime=0)),
        ("t.tsv.gz", gzip.compress(b"order\tfamily\nbird\twren\nbird\trobin\n", mtime=0)),
        ("t.csv", "\ufefforder,family\nbird,wren\nbird,robin\n"),
        ("t.csv", "superclass,class\nbird,wren\nbird,robin\n"),
        ("t.csv", "parent_category,category,product\nbird,wren,a\nbird,robin,b\nbird,robin,c\n"),
    ],
)
def test_level_tables_whatever_separates_and_packs_them(tmp_path: Path, name: str, content: str | bytes) -> None:
    tree = silently(written(tmp_path, content, name))
    assert [path for path in paths(tree) if path.count("/") < 2] == BIRDS
    assert tree.synthetic_root


REFUSED: list[tuple[str, str | bytes, str, str]] = [
    ("no header", "bird,wrens,winter wren\nbird,thrushes,robin\n", "'bird' is also a label below it", 'header="none"'),
    ("no header, no repeats", "cat,animal\nrose,plant\n", "none is a typical header word", 'header="none"'),
    ("a list without header", "wren\nrobin\nfox\n", "none is a typical header word", 'header="none"'),
    ("edges without header", "wren,bird\nrobin,bird\nbird,\n", "'bird' is also a label below it", 'header="none"'),
    ("numbers for a header", "10,20\n10,30\n", "'10' is also a label below it", 'header="none"'),
    ("a blank in the header", "bird,\nwren,bird\n", "column 2 without a name", 'header="none"'),
    ("names of rows", ",group,kind\nx,bird,wren\ny,bird,robin\n", "column 1 without a name", "Name every column"),
    ("a title", "Our birds,\n,\ngroup,kind\nbird,wren\n", "column 2 without a name", "remove lines above the header"),
    ("a comment", "# our birds\nbird\nwren\n", "that could be a comment", "Remove the lines above the header"),
    ("lines of seven cells", "1f;aves;b;;;;x\n2b;aves;c;;d;;y\n", "column 4 without a name", 'header="none"'),
    ("the header again", "child,parent\nbird,\nchild,parent\nwren,bird\n", "the header again", "Remove the line"),
    ("two separators", "a;b,c;d\nx;y,z;w\n", "',' (2 columns) or ';' (3 columns)", 'separator=","'),
    ("a header alone", "order|family\n", "'|' (2 columns)", 'separator="|"'),
    ("either end may be the parent", "source,target\na,b\nb,c\n", "either of which could be the parent", 'parent="source"'),
    ("an id for each leaf", "species_id,order,species\n1,A,s\n2,A,t\n", "'species_id' describes", 'levels=["order", "species"]'),
    ("an unnamed id", "x,order,species\nq,A,s\nr,A,t\nv,B,u\n", "a different value in every row", 'columns=["x"]'),
    ("a note", "order,species,note\nA,s,red\nA,t,blue\n", "'note' describes nodes", 'columns=["note"]'),
    ("a foreign note", "order,species,remarques\nA,s,ab\nA,t,bc\nB,u,cd\n", "a different value in every row", 'columns=["remarques"]'),
    ("a second name", "order,species,common_name\nA,s,ab\nA,t,bc\n", "'common_name' describes", 'columns=["common_name"]'),
    ("fine to coarse", "fine,coarse\nwren,bird\nrobin,bird\n", "'coarse' is coarser than 'fine'", 'levels=["coarse", "fine"]'),
    ("ranks the wrong way", "species,genus\ns,g\nt,g\n", "do not run from coarse to fine", 'levels=["genus", "species"]'),
    ("numbers the wrong way", "level_2,level_1\ns,g\nt,g\n", "do not run from coarse to fine", 'levels=["level_1", "level_2"]'),
    ("an attribute", "family,species,edible\nf,s,yes\nf,t,no\ng,u,yes\n", "'edible' is coarser", 'columns=["edible"]'),
    ("unknown edges", "klasse,über\nb,a\nc,b\nd,b\n", "as parents are in an edge list", 'name="klasse" and parent="über"'),
    ("paths in one column", "label\nbird/wren\nbird/robin\n", "as paths do", 'format="paths"'),
    ("paths beside labels", "product,category\na,Food > Fruit\nb,Food > Fish\n", "between them in 'category'", 'format="paths" and levels=["category"]'),
    ("paths under one of them", "Toys\nFood > Fish\nFood\n", "none is a typical header word", 'header="none"'),
    ("an outline", "name\nfruit\n  apple\n  pear\n", "indented, as an outline is", "a column of its own"),
    ("an outline with marks", "name\n- fruit\n  - apple\n", "indented, as an outline is", "a column of its own"),
    ("a drawn outline", "name\nfruit\n├── apple\n└── pear\n", "indented, as an outline is", "a column of its own"),
    ("depths", "Level,Name\n1,bird\n2,wren\n1,fish\n", "'Level' says how deep each row lies", "the parent of every row"),
    ("ranks among others", "no,category,sci_name,order,family,code\n1,a,s,A,f,x\n2,a,t,A,f,y\n", "'no' describes", 'levels=["order", "family", "sci_name"] and columns=["no", "category", "code"]'),
    ("ranks of rows", "rank,name\ngenus,Puma\nspecies,Puma concolor\n", "'rank' says how deep", "the parent of every row"),
    ("codes and titles", "Group,Group Title,Class,Class Title\n1,bird,11,wren\n1,bird,12,robin\n2,fish,21,cod\n", "'Group' describes", 'levels=["Group Title", "Class Title"] and columns=["Group", "Class"]'),
    ("paths of ids", "id,name,ancestry\n1,bird,\n2,wren,1\n3,winter wren,1/2\n", "'id' describes", 'columns=["id", "ancestry"]'),
    ("columns of blanks", "group   kind\nbird   wren\nbird   robin\n", "gaps of blanks", "a comma or a tab"),
    ("Markdown", "| group | kind |\n|---|:--|\n| bird | wren |\n", "a table in Markdown", "a comma or a tab"),
    ("several parents in a cell", "id,name,parents\n1,a,\n2,b,1\n3,c,1;2\n", "'1;2' of '3', which no row defines, but each of its parts", ""),
    ("a class index", "index,name\n0,wren\n1,robin\n", "'index' describes", 'levels=["name"]'),
    ("a manifest", "path,label,split\na.png,bird,train\n", "a manifest of images", "as the dataset"),
    ("a manifest with blanks", "path, label\n0.png, bird/wren\n", "a manifest of images", "as the dataset"),
    ("a manifest under other names", "img,cls\na.JPG,bird\nb.jpeg,bird\n", "a manifest of images", "as the dataset"),
    ("JSON", '{"bird": ["wren"]}\n', "but got JSON", 'format="json"'),
    ("JSON with commas", '{"bird": ["wren", "robin"], "fish": ["cod"]}\n', "but got JSON", 'format="json"'),
    ("HTML", "<html>\n<body>\n</html>\n", "but got XML or HTML", "Save its table as CSV"),
    ("Newick", "(wren,\nrobin)bird;\n", "but got Newick", 'format="newick"'),
    ("NEXUS", "#NEXUS\nbegin trees;\n", "but got Newick or NEXUS", 'format="newick"'),
    ("Graphviz", "digraph { bird -> wren; }\n", "a drawing of a graph", "parent and child"),
    ("Mermaid", "graph TD\n  A[bird] --> B[wren]\n", "a drawing of a graph", "parent and child"),
    ("a spreadsheet", b"PK\x03\x04\x14\x00", "a spreadsheet", "as CSV"),
    ("a binary file", bytes(range(256)), "a binary file", "as CSV"),
    ("GBK", "目,科,种\nA,f,s\n".encode("gbk"), "byte 0x", "UTF-8"),
    ("UTF-16", "order,family\nA,f\n".encode("utf-16"), "UTF-16", "UTF-8"),
    ("half a gzip file", gzip.compress(b"order,family\nA,f\n", mtime=0)[:-9], "end-of-stream", ""),
    ("a quote that never closes", 'child,parent\nr,\n"a,r\nb,r\n', "a quote that never closes", "Close the quote"),
    ("a quote that swallows rows", 'child,parent\nr,\n"a,r\nb",r\n', "closes in line 4, with whole rows", "Close the quote"),
    ("a quote within a cell", 'order,family\n"A"x,f\n', "closes before the end of its cell", "Close the quote"),
    ("a wide row", "order,family\nA,f\nA,g,h\n", "3 cells for 2 columns", ""),
    ("an id with zeros", "id,parent,name\n007,,r\n8,7,a\n", "is it '007'?", "Add a row"),
    ("nothing", "", "an empty file", ""),
    ("white space", "  \n\n", "an empty file", ""),
]  # fmt: skip


@pytest.mark.parametrize(("content", "got", "advice"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_shows_no_form_is_refused_with_the_option_that_decides(
    tmp_path: Path, content: str | bytes, got: str, advice: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(InputError) as error:
        read(file)
    assert got in str(error.value)
    assert advice in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    assert any(problem.severity == "error" for problem in check(file))


def test_the_line_of_an_open_quote_and_of_a_wide_row(tmp_path: Path) -> None:
    for content, line in (('a,b\nx,y\n"z,w\nv,u\n', 3), ("a,b\nx,y\n\nz,w,v\n", 4)):
        with pytest.raises(InputError, match=rf"classes\.csv:{line}\."):
            read(written(tmp_path, content))


@pytest.mark.parametrize("form", ["levels", "edges", "nodes", "darwin-core", "paths"])
def test_a_wide_row_is_named_under_every_form(tmp_path: Path, form: Any) -> None:
    with pytest.raises(InputError, match=r"3 cells for 2 columns at .*classes\.csv:2"):
        read(written(tmp_path, "a,b\nx,y,z\n"), format=form)


def test_a_table_without_form_lists_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(written(tmp_path, "fine,coarse\nwren,bird\nrobin,bird\n"))
    for word in ("nodes (", "edges (", "darwin-core (", "levels (", "'fine', 'coarse'"):
        assert word in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        ",group,kind\n0,bird,wren\n1,bird,robin\n",
        "Unnamed: 0,group,kind\n3,bird,wren\n7,bird,robin\n",
        '"","group","kind"\n"1","bird","wren"\n"2","bird","robin"\n',
        '"group","kind"\n"1","bird","wren"\n"2","bird","robin"\n',
        "Unnamed: 0,,group,kind,\n3,,bird,wren,\n7,,bird,robin,\n",
    ],
)
def test_row_numbers_are_left_out_and_told(tmp_path: Path, content: str) -> None:
    with pytest.warns(InputWarning, match="row numbers in the first column"):
        tree = read(written(tmp_path, content))
    assert (paths(tree), tree.level_names, tree.columns) == (BIRDS, ("group", "kind"), {})


@pytest.mark.parametrize(
    "content", ["group,kind,\nbird,wren,\nbird,robin,\n", "group,,kind\nbird,,wren\nbird,,robin\n"]
)
def test_columns_without_name_and_cells_are_nothing(tmp_path: Path, content: str) -> None:
    assert paths(silently(written(tmp_path, content))) == BIRDS


def test_row_numbers_that_parents_refer_to_are_ids(tmp_path: Path) -> None:
    tree = silently(written(tmp_path, ",name,parent\n4,bird,\n5,wren,4\n6,robin,4\n"))
    assert (paths(tree), tree.columns["id"].tolist()) == (BIRDS, ["4", "5", "6"])


@pytest.mark.parametrize("row", ["Total,3", "Summe:,3", ",Total"])
def test_a_sum_below_a_table_is_told(tmp_path: Path, row: str) -> None:
    file = written(tmp_path, f"group,kind\nbird,wren\nbird,robin\n{row}\n")
    with pytest.warns(
        InputWarning, match=r"a last row '.*', which could be a sum at .*classes\.csv:4\. Remove the line"
    ):
        assert read(file, format="levels").num_leaves == 3
    assert "total" in [problem.kind for problem in check(file)]


@pytest.mark.parametrize("word", ["#N/A", "NA", "-", "null", "??", "#REF!"])
def test_labels_that_stand_for_none_are_told(tmp_path: Path, word: str) -> None:
    with pytest.warns(
        InputWarning, match=r"a label '.*', which often means a missing value at .*:3\. Leave the cell empty"
    ):
        read(written(tmp_path, f"group,kind\nbird,wren\nbird,{word}\n"))


def test_a_header_of_two_lines_is_one(tmp_path: Path) -> None:
    tree = silently(written(tmp_path, '"Product\nGroup","Product\nName"\nfruit,apple\nfruit,pear\n'))
    assert tree.level_names == ("Product Group", "Product Name")


class TestPaths:
    @pytest.mark.parametrize(
        "content",
        ["1 - Food\n2 - Food > Nuts, Seeds\n3 - Toys\n", "# Version 2\n1 - Food\n2 - Food > Nuts, Seeds\n3 - Toys\n"],
    )
    def test_numbered_lines(self, tmp_path: Path, content: str) -> None:
        tree = silently(written(tmp_path, content, "t.txt"))
        assert paths(tree) == ["Food", "Food/Nuts, Seeds", "Toys"]
        assert tree.columns["id"].tolist() == ["", "1", "2", "3"]

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            ("a://1 : Food\na://2 : Food > Fish > Cod\na://3 : Food > Fish\n", "t.txt"),
            ("Food > Fish > Cod\nFood > Fish\nFood\n", "t.csv"),
            ("id,path\n1,Food\n2,Food/Fish\n3,Food/Fish/Cod\n", "t.csv"),
            ("id\nFood\nFood.Fish\nFood.Fish.Cod\n", "t.csv"),
            ("path,share\n/Food/,1\n/Food/Fish/,0.5\n/Food/Fish/Cod/,\n", "t.csv"),
            ("name;weight\nFood>Fish>Cod;3\nFood>Fish;4\nFood;5\n", "t.csv"),
        ],
    )
    def test_columns_that_certainly_hold_paths(self, tmp_path: Path, content: str, name: str) -> None:
        assert paths(silently(written(tmp_path, content, name))) == ["Food", "Food/Fish", "Food/Fish/Cod"]

    def test_ranks_without_a_name_are_skipped_and_other_columns_kept(self, tmp_path: Path) -> None:
        content = "Feature ID\tTaxon\tConfidence\nx1\tk__Bacteria; p__Firmicutes; c__\t0.9\nx2\tk__Bacteria; p__\t1\n"
        tree = silently(written(tmp_path, content, "t.tsv"))
        assert paths(tree) == ["k__Bacteria", "k__Bacteria/p__Firmicutes"]
        assert tree.columns["Confidence"].tolist() == ["", "1", "0.9"]

    def test_what_is_advised_works(self, tmp_path: Path) -> None:
        file = written(tmp_path, "label\nbird/wren\nbird/robin\n")
        assert paths(silently(file, format="paths")) == BIRDS
        assert silently(file, format="levels").num_leaves == 2
        file = written(tmp_path, "product,category\na,Food > Fruit\nb,Food > Fish\n")
        assert paths(silently(file, format="paths", levels=["category"])) == ["Food", "Food/Fruit", "Food/Fish"]
        with pytest.raises(InputError, match="one column of paths, but got 'product', 'category'"):
            read(file, format="paths", levels=["product", "category"])

    def test_columns_without_a_header_beside_paths(self, tmp_path: Path) -> None:
        file = written(tmp_path, "9606\tbird;wren\n9598\tbird;robin\n", "t.tsv")
        tree = silently(file, header="none", separator="tab", format="paths", levels=["2"])
        assert (paths(tree), tree.columns["column_1"].tolist()[-2:]) == (BIRDS, ["9606", "9598"])
        with pytest.raises(InputError, match="without additional level columns, but got 'level_1'"):
            read(written(tmp_path, "level_1,path\nx,bird > wren\ny,bird > robin\n"), format="paths", levels=["path"])

    @pytest.mark.parametrize("header", ["species", "level_1"])
    def test_columns_called_as_levels_hold_names(self, tmp_path: Path, header: str) -> None:
        assert silently(written(tmp_path, f"{header}\nA\nA/B\nA/B > C\n")).num_leaves == 3

    def test_slashes_in_some_names_are_no_paths(self, tmp_path: Path) -> None:
        assert silently(written(tmp_path, "name\nSalt/pepper\nSugar\nTea/coffee\nOil\n")).num_leaves == 4


class TestOptionsDecide:
    def test_header_none_keeps_the_first_row(self, tmp_path: Path) -> None:
        file = written(tmp_path, "bird,wrens,winter wren\nbird,thrushes,robin\nmoth,hawk-moths,elephant hawk-moth\n")
        tree = silently(file, header="none")
        assert (tree.num_leaves, tree.level_names) == (3, ("level_1", "level_2", "level_3"))
        assert silently(file, header="first", format="levels").num_leaves == 2

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("/m/01,wren\n/m/02,robin\n/m/03,cod\n", "both have a different value in every row"),
            ("1f;aves;wren\n2b;aves;robin\n3c;;blank\n", "'level_3' and 'level_1' both have a different value"),
            ("9606\tA;B;C\n9598\tA;B;D\n9001\tA;E\n", "';' in the values of 'level_2', as paths do"),
        ],
    )
    def test_ids_in_front_are_no_levels_without_a_header(self, tmp_path: Path, content: str, reason: str) -> None:
        file = written(tmp_path, content)
        separator = "tab" if "\t" in content else None
        with pytest.raises(InputError, match=reason):
            read(file, header="none", separator=separator)
        assert read(file, header="none", separator=separator, levels=["2"], columns=["1"]).num_nodes > 1

    def test_columns_by_number(self, tmp_path: Path) -> None:
        file = written(tmp_path, "1,,bird\n2,1,wren\n3,1,robin\n")
        assert paths(silently(file, header="none", id="1", parent="2", name="3")) == BIRDS

    def test_separator(self, tmp_path: Path) -> None:
        file = written(tmp_path, "a;b,c;d\nx;y,z;w\n")
        assert silently(file, separator=";", format="levels").level_names == ("a", "b,c", "d")
        assert silently(written(tmp_path, "order§family\nA§f\n"), separator="§").num_levels == 2
        assert silently(written(tmp_path, "order\tfamily\nA\tf\n"), separator="tab").num_levels == 2

    def test_format_overrules_evidence(self, tmp_path: Path) -> None:
        file = written(tmp_path, "fine,coarse\nwren,bird\nrobin,bird\n")
        assert paths(silently(file, format="levels")) == ["wren", "wren/bird", "robin", "robin/bird"]
        assert paths(silently(file, levels=["coarse", "fine"])) == BIRDS
        assert paths(silently(file, name="fine", parent="coarse")) == BIRDS

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"separator": ",,"}, "separator to be one character"),
            ({"header": "second"}, "header to be one of first, none"),
            ({"levels": "a"}, "levels to be a list of columns"),
            ({"levels": ["a"], "parent": "b"}, "options of one kind of table"),
            ({"levels": ["a"], "format": "edges"}, "options of one kind of file"),
            ({"name": "a", "format": "levels"}, "options of one kind of table"),
            ({"name": "a", "format": "json"}, "options of one kind of file"),
            ({"name": "c", "parent": "b"}, "the columns 'c'"),
            ({"parent": "3"}, "the columns '3'"),
        ],
    )
    def test_options_that_cannot_be(self, tmp_path: Path, options: dict[str, Any], text: str) -> None:
        with pytest.raises(InputError, match=text):
            read(written(tmp_path, "a,b\nx,y\n"), **options)


class TestNoParent:
    @pytest.mark.parametrize("word", ["NaN", "NULL", "None", "NA", "n/a", "-"])
    def test_words_are_told(self, tmp_path: Path, word: str) -> None:
        file = written(tmp_path, f"child,parent\nfruit,{word}\napple,fruit\n")
        with pytest.warns(InputWarning, match=f"parent '{word}' of 'fruit' read as no parent at .*:2"):
            tree = read(file)
        assert (paths(tree), tree.synthetic_root) == (["fruit", "fruit/apple"], False)

    def test_a_row_of_that_name_is_a_node(self, tmp_path: Path) -> None:
        assert paths(silently(written(tmp_path, "id,parent,name\n0,,all\n1,0,a\n"))) == ["all", "all/a"]
        with pytest.warns(InputWarning, match="a label 'NA', which often means a missing value"):
            assert paths(read(written(tmp_path, "child,parent\nNA,\nNamibia,NA\n"))) == ["NA", "NA/Namibia"]

    def test_several_roots_are_several(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="another root 'herb' next to 'fruit'"):
            read(written(tmp_path, "id,parent,name\n1,0,fruit\n2,0,herb\n"))

    def test_numbers_that_pandas_made_floats(self, tmp_path: Path) -> None:
        file = written(tmp_path, "id,parent,name\n7,,fruit\n8,7.0,apple\n")
        with pytest.warns(InputWarning, match=r"parent '7\.0' read as the id '7'"):
            assert paths(read(file)) == ["fruit", "fruit/apple"]
        frame = pd.DataFrame({"id": [7, 8], "parent": [None, 7], "name": ["fruit", "apple"]})
        assert paths(Taxonomy.from_dataframe(frame)) == ["fruit", "fruit/apple"]


class TestMergedCells:
    CONTENT = "group,kind,variety\nfruit,apple,fuji\n,,gala\n,pear,\nfish,,salmon\n"

    def test_they_are_told(self, tmp_path: Path) -> None:
        file = written(tmp_path, self.CONTENT)
        with pytest.warns(InputWarning, match=r"a blank 'group' below a filled one at .*:3\. Pass fill_down=True"):
            read(file)
        assert [problem.line for problem in check(file) if problem.kind == "merged-cells"] == [3, 4]

    def test_many_are_told_once(self, tmp_path: Path) -> None:
        file = written(tmp_path, "group,kind\nfruit,\n" + "".join(f",k{number}\n" for number in range(9)))
        with pytest.warns(InputWarning) as told:
            read(file)
        (warning,) = told
        assert "and 8 more of this kind, at" in str(warning.message)
        assert f"cladewise taxonomy check {file}" in str(warning.message)

    def test_they_are_filled(self, tmp_path: Path) -> None:
        tree = silently(written(tmp_path, self.CONTENT), fill_down=True)
        assert paths(tree) == [
            *("fruit", "fruit/apple", "fruit/apple/fuji", "fruit/apple/gala", "fruit/pear", "fish", "fish/salmon")
        ]


class TestFrames:
    @pytest.mark.parametrize(
        ("frame", "text"),
        [
            (pl.DataFrame({"order": ["A"], "tags": [["x", "y"]]}), "'tags' .List"),
            (pl.DataFrame({"order": ["A"], "tags": [{"x": 1}]}), "'tags' .Struct"),
            (pl.DataFrame({"order": ["A"], "raw": [b"x"]}), "'raw' .Binary"),
            (pd.DataFrame({"order": ["A", "B"], "kind": [1, "x"]}), "'kind' with several"),
            (pd.DataFrame([["bird", "wren"], ["bird", "robin"]]), "columns with names"),
        ],
    )
    def test_columns_that_hold_no_labels(self, frame: Any, text: str) -> None:
        with pytest.raises(InputError, match=text):
            Taxonomy.from_dataframe(frame)

    def test_a_list_in_parquet(self, tmp_path: Path) -> None:
        pl.DataFrame({"order": ["A"], "tags": [["x", "y"]]}).write_parquet(tmp_path / "t.parquet")
        with pytest.raises(InputError, match=r"'tags' .List.*t\.parquet"):
            read(tmp_path / "t.parquet")

    def test_dates_categories_gaps_and_whole_floats(self) -> None:
        frame = pd.DataFrame(
            {
                "order": pd.Categorical(["A", "A", "B"]),
                "year": [1990.0, None, 2001.0],
                "species": pd.to_datetime(["2001-01-01", "2002-01-01", None]),
            }
        )
        tree = Taxonomy.from_dataframe(frame, format="levels")
        assert "A/1990/2001-01-01 00:00:00" in [path[:26] for path in paths(tree)]
        assert "B/2001" in paths(tree)

    def test_parquet_is_known_by_its_first_bytes(self, tmp_path: Path) -> None:
        pl.DataFrame({"order": ["A"], "family": ["f"]}).write_parquet(tmp_path / "t.csv")
        assert paths(silently(tmp_path / "t.csv")) == ["A", "A/f"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    for path in (tmp_path / "t.csv", Path("/dev/zero")):
        with pytest.raises(InputError, match="a regular file or a folder"):
            read(path, format="edges")


def test_a_huge_table_is_refused_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cladewise.taxonomy.formats.tables.delimited.MAX_BYTES", 2**20)
    with pytest.raises(InputError, match="at most 1 MiB to read"):
        read(written(tmp_path, gzip.compress(b"order,family\n" + b"A,f\n" * 2**20, mtime=0), "t.csv.gz"))


def test_rows_with_other_texts_of_one_node_are_told(tmp_path: Path) -> None:
    file = written(tmp_path, "child,parent,note\nr,,\na,r,x\na,r,y\n")
    with pytest.warns(InputWarning, match="'a' again, with different text"):
        assert read(file).columns["note"].tolist() == ["", "x"]


def test_what_is_cheap_is_told_by_reading(tmp_path: Path) -> None:
    file = written(tmp_path, "group,kind\nfruit,pear\nfruit,pear\u200b\nfruit, fig\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(file)
    told = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
    assert [text.split(" at ")[0] for text in told] == [
        "an invisible character in 'pear\\u200b'",
        "stray white space in ' fig'",
        "'pear\\u200b' next to 'pear' (line 2)",
    ]


class TestOtherFrames:
    TABLE = pd.DataFrame({"group": ["bird", "bird"], "kind": ["wren", "robin"]})

    @pytest.mark.parametrize(
        "frame",
        [
            TABLE.set_index("group"),
            TABLE.set_index(["group", "kind"]),
            TABLE.astype("category"),
            TABLE.set_index(pd.Index([5, 2])),
            pl.DataFrame(TABLE).lazy(),
            pl.DataFrame(TABLE).to_arrow(),
            TABLE.to_dict("list"),
        ],
        ids=["index", "indices", "categories", "numbers", "lazy", "arrow", "mapping"],
    )
    def test_of_any_kind_keep_all_columns(self, frame: Any) -> None:
        assert paths(Taxonomy.from_dataframe(frame)) == BIRDS

    def test_an_index_of_names_beside_parents(self) -> None:
        frame = pd.DataFrame({"parent": [None, "bird", "bird"]}, index=pd.Index(["bird", "wren", "robin"], name="name"))
        assert paths(Taxonomy.from_dataframe(frame)) == BIRDS

    @pytest.mark.parametrize("other", ["classes.csv", [("bird", "wren")], [{"group": "bird"}], None, TABLE["kind"]])
    def test_what_is_no_frame_is_refused(self, other: Any) -> None:
        with pytest.raises(InputError, match="Expected a data frame, but got"):
            Taxonomy.from_dataframe(other)

    def test_a_column_twice(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="several columns named 'group'"):
            Taxonomy.from_dataframe(self.TABLE[["group", "group"]])
        with pytest.raises(InputError, match="each column once among the levels, but got 'group' twice"):
            Taxonomy.from_dataframe(self.TABLE, levels=["group", "1"])

    def test_columns_by_number(self) -> None:
        levels: Any = [1, 2]
        assert paths(Taxonomy.from_dataframe(self.TABLE, levels=levels)) == BIRDS


def test_paths_and_labels_that_are_no_names() -> None:
    wrong: Any = ["bird/wren"]
    with pytest.raises(InputError, match=r"but got 'bird/wren'\. Split it: path\.split"):
        Taxonomy.from_paths(wrong)
    wrong = [("bird", None)]
    with pytest.raises(InputError, match=r"names that are strings, but got None in \('bird', None\)"):
        Taxonomy.from_paths(wrong)
    for label in (3, None):
        wrong = label
        with pytest.raises(InputError, match=f"a label: a string, or a sequence of names, but got {label}"):
            Taxonomy.from_paths([("bird", "wren")]).find(wrong)
