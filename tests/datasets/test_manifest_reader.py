"""Manifests: a table of files and labels."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import from_manifest
from cladewise.errors import InputWarning

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
        "Expected labels that each name one node of the taxonomy, but got 3 that do not: 'kiwi' in lines 2, 5; "
        f"'apple' (fruit/apple or juice/apple) in line 4; a blank label in line 6 at {table}. "
        "Correct them, or add them to the taxonomy; if a name repeats, give the path."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n1.png,a\n", "the columns path and label, but got file, label at {}:1."),
        ("path,label\n,a\n", "a path in every row, but got none in 1 at {}:2."),
        ("path,label\n1.png,a//b\n", "labels that are paths, as in Fruit/Apple, but got a blank name at {}:2."),
        ("path,label\n1.png,a\n1.png,b\n", "1 file with several, such as '1.png' in lines 2 and 3 at {}:3."),
        ("path,label,split\n1.png,a,train\n1.png,a,test\n", "one label and one split for every file, but got 1 file"),
        ("path,label,split\n1.png,a,train\n2.png,a,\n", "a split for every file, or for none, but got 1 file without"),
        (
            "path,label\n1.png,a,b,c\n",
            "no more cells in a row than the header has, but got 4 cells for 2 columns",
        ),
        ("", "a table, but got an empty file at {}:1."),
        ("path,label\n", "a dataset with images, but got no file at {}."),
        ("path,label\nno.png,a\n", "got 1 file, none of them usable at {}. The first: no.png (no such file)."),
    ],
)
def test_a_table_that_is_wrong(tmp_path: Path, images: None, text: str, message: str) -> None:
    table = manifest(tmp_path, text)
    with pytest.raises(InputError) as caught:
        from_manifest(table)
    assert message.format(table) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_row_twice_counts_once(tmp_path: Path, images: None) -> None:
    with pytest.warns(
        InputWarning, match="1 row names a file that earlier rows name, and counts once, such as '1.png'"
    ):
        assert len(from_manifest(manifest(tmp_path, "path,label\n1.png,a\n1.png,a\n"))) == 1


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a manifest, but got no such file"):
        from_manifest(tmp_path / "images.csv")
    with pytest.raises(InputError, match="a manifest, but got a folder"):
        from_manifest(tmp_path)
    (tmp_path / "images.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="Expected a Parquet file, but got"):
        from_manifest(tmp_path / "images.parquet")
    (tmp_path / "latin.csv").write_bytes("path,label\n1.png,pêche\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8 text, but got byte 0xEA"):
        from_manifest(tmp_path / "latin.csv")
    (tmp_path / "images.xlsx").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(InputError, match="a text file, but got a zip archive or a spreadsheet"):
        from_manifest(tmp_path / "images.xlsx")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (json.dumps({"info": {}, "images": [{"id": 1}], "annotations": []}, indent=1), "JSON in COCO format"),
        (json.dumps([{"path": "1.png", "label": "a"}]), "JSON"),
        ("<annotation><folder>a</folder></annotation>", "XML or HTML"),
    ],
)
def test_annotations_in_other_documents_are_refused_with_what_is_known(tmp_path: Path, text: str, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        from_manifest(manifest(tmp_path, text, "images.json"))
    assert str(caught.value) == (
        "Expected a table with one row per image (CSV, TSV or Parquet), a folder of images, or the name of a dataset, "
        f"but got {kind} at {tmp_path / 'images.json'}. "
        "Write a CSV file with the columns path and label, and perhaps split."
    )


class TestTables:
    @pytest.mark.parametrize("header", ["path, label,split", " path,label , split", "Path,LABEL,Split"])
    def test_blanks_and_case_in_the_header_do_not_count(self, tmp_path: Path, images: None, header: str) -> None:
        photos = from_manifest(manifest(tmp_path, f"{header}\n1.png, fruit/pear, train\n"), TREE)
        assert photos.nodes.tolist() == [3]
        assert set(photos.splits) == {"train"}

    @pytest.mark.parametrize(
        "name", ["images.CSV", "images.TSV", "images.PARQUET", "images.csv.gz", "images", "a.b.txt"]
    )
    def test_the_content_says_how_to_read_it(self, tmp_path: Path, images: None, name: str) -> None:
        csv = manifest(tmp_path, ROWS)
        if name.endswith("PARQUET"):
            pl.read_csv(csv).write_parquet(tmp_path / name)
        elif name.endswith("gz"):
            (tmp_path / name).write_bytes(gzip.compress(csv.read_bytes()))
        else:
            manifest(tmp_path, ROWS.replace(",", "\t" if name.endswith("TSV") else ","), name)
        photos = from_manifest(tmp_path / name, TREE)
        assert photos.nodes.tolist() == [3, 2, 1, 5]
        assert photos.name == ("a.b" if name.endswith("txt") else "images")

    @pytest.mark.parametrize("mark", [";", "|", "\t"])
    def test_another_separator_than_the_name_promises(self, tmp_path: Path, images: None, mark: str) -> None:
        table = manifest(tmp_path, ROWS.replace(",", mark))
        assert from_manifest(table, TREE).nodes.tolist() == [3, 2, 1, 5]
        told = from_manifest(table, TREE, separator=mark)
        assert told.source["separator"] == mark
        assert datasets.open(told.source, taxonomy=TREE).paths == told.paths

    def test_a_column_without_a_name_does_not_matter(self, tmp_path: Path, images: None) -> None:
        assert len(from_manifest(manifest(tmp_path, ",path,label\n0,1.png,a\n1,2.png,b\n"))) == 2  # as pandas writes it

    def test_two_columns_of_one_name_do(self, tmp_path: Path, images: None) -> None:
        with pytest.raises(InputError, match="a different name for each column, but got several columns named 'label'"):
            from_manifest(manifest(tmp_path, "path,label,label\n1.png,a,b\n"))

    @pytest.mark.parametrize(
        ("header", "advice"),
        [
            ("filename,species", 'path_column="filename", label_column="species".'),
            ("image,category", 'path_column="image", label_column="category".'),
            ("file_path,class", 'path_column="file_path", label_column="class".'),
            ("path,target", 'label_column="target".'),
            ("image_id,label", 'path_column="image_id".'),
            ("a,b", 'path_column="...", label_column="...".'),
        ],
    )
    def test_columns_of_other_names_are_refused_with_the_options_that_decide(
        self, tmp_path: Path, images: None, header: str, advice: str
    ) -> None:
        table = manifest(tmp_path, f"{header}\n1.png,pear\n")
        with pytest.raises(InputError) as caught:
            from_manifest(table, TREE)
        seen = header.replace(",", ", ")
        assert f"Expected the columns path and label, but got {seen} at {table}:1." in str(caught.value)
        assert str(caught.value).endswith(f"Rename the columns, or name them: {advice}")

    def test_columns_by_option(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "file,kind,set\n1.png,pear,train\n2.png,pear,dev\n")
        photos = from_manifest(table, TREE, path_column="file", label_column="kind", split_column="set")
        assert {name: part.tolist() for name, part in photos.splits.items()} == {"train": [0], "val": [1]}
        assert datasets.open(photos.source, taxonomy=TREE).paths == photos.paths
        with pytest.raises(InputError, match="the column taxon, but got file, kind, set"):
            from_manifest(table, TREE, path_column="file", label_column="taxon", split_column="set")

    def test_a_row_of_data_is_no_header(self, tmp_path: Path, images: None) -> None:
        with pytest.raises(InputError, match=r"add a header line path,label above it"):
            from_manifest(manifest(tmp_path, "1.png,pear\n2.png,pear\n"), TREE)
        with pytest.raises(InputError, match=r"add a header line path,label above it"):
            from_manifest(manifest(tmp_path, "1.png 0\n2.png 1\n", "list.txt"))

    def test_columns_that_are_not_used_are_noted(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, ",path,label,fold,note\n0,1.png,pear,0,\n1,2.png,pear,1,blurred\n")
        assert from_manifest(table, TREE).notes == ("2 columns not used: 'fold', 'note'",)

    def test_splits_under_another_name_are_not_lost(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "path,label,subset\n1.png,pear,train\n2.png,pear,test\n")
        with pytest.raises(InputError, match=r"'test', 'train' in the column 'subset' .* Pass split_column=\"subset\""):
            from_manifest(table, TREE)

    def test_splits_that_only_folders_name_are_told(self, tmp_path: Path, draw) -> None:
        for name in ("train/1.png", "test/2.png"):
            draw(name)
        with pytest.warns(InputWarning, match="no column split, although the files are in the folders 'test', 'train'"):
            from_manifest(manifest(tmp_path, "path,label\ntrain/1.png,pear\ntest/2.png,pear\n"), TREE)

    @pytest.mark.parametrize("name", ["is_train", "fold", "Subset"])
    def test_a_column_that_could_hold_splits_is_told(self, tmp_path: Path, images: None, name: str) -> None:
        table = manifest(tmp_path, f"path,label,{name}\n1.png,a,1\n2.png,b,0\n")
        with pytest.warns(
            InputWarning, match=f"the column '{name}', which could contain splits, is not used .* Pass s"
        ):
            assert "train" in from_manifest(table).splits
        with pytest.warns(
            InputWarning, match=r"the splits '1', '0', none of them for training .* Name the training split"
        ):
            assert set(from_manifest(table, split_column=name).splits) == {"0", "1"}

    def test_texts_that_name_one_split_are_told(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "path,label,split\n1.png,pear,Train\n2.png,pear,val\n3.png,pear,dev\n")
        with pytest.warns(InputWarning, match="the split val is made of several: val, dev"):
            assert set(from_manifest(table, TREE).splits) == {"train", "val"}

    def test_numbers_in_parquet_are_ids_or_names(self, tmp_path: Path, images: None) -> None:
        table = tmp_path / "images.parquet"
        tree = Taxonomy([-1, 0, 0], ["", "wren", "owl"], columns={"id": ["", "7", "12"]})
        for numbers in ([7, 12], [7.0, 12.0]):
            pl.DataFrame({"path": ["1.png", "2.png"], "label": numbers}).write_parquet(table)
            assert from_manifest(table, tree).nodes.tolist() == [1, 2]
        pl.DataFrame({"path": ["1.png", "2.png"], "label": [7, 3]}).write_parquet(table)
        with pytest.raises(InputError, match="1 that does not: '3' in line 2"):
            from_manifest(table, tree)

    @pytest.mark.parametrize("cell", [["wren"], b"wren", {"name": "wren"}, True])
    def test_other_cells_in_parquet_are_refused(self, tmp_path: Path, images: None, cell: object) -> None:
        table = tmp_path / "images.parquet"
        pl.DataFrame({"path": ["1.png"], "label": [cell]}).write_parquet(table)
        with pytest.raises(InputError, match="paths, labels and splits that are texts, or numbers, but got 'label'"):
            from_manifest(table)
        pl.DataFrame({"path": ["1.png"], "label": ["wren"], "more": [cell]}).write_parquet(table)
        assert len(from_manifest(table)) == 1


class TestFiles:
    @pytest.mark.parametrize("again", ["./1.png", "x/../1.png", "{}/1.png", ".//1.png", "x/.././1.png"])
    def test_a_file_under_two_paths_is_one_image(self, tmp_path: Path, images: None, again: str) -> None:
        again = again.format(tmp_path)
        same = manifest(tmp_path, f"path,label,split\n1.png,pear,train\n2.png,pear,train\n{again},fruit/pear,Train\n")
        with pytest.warns(InputWarning, match="1 row names a file that earlier rows name, .* in lines 2 and 4 at"):
            assert from_manifest(same, TREE).paths == ("1.png", "2.png")
        for second in ("fruit,train", "pear,test"):
            table = manifest(tmp_path, f"path,label,split\n1.png,pear,train\n{again},{second}\n")
            with pytest.raises(InputError) as caught:
                from_manifest(table, TREE)
            assert str(caught.value) == (
                "Expected one label and one split for every file, but got 1 file with several, such as '1.png' and "
                f"{again!r} in lines 2 and 3 at {table}:3."
            )

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
    def test_a_link_to_a_file_is_that_file(self, tmp_path: Path, images: None) -> None:
        (tmp_path / "a.png").symlink_to(tmp_path / "1.png")
        (tmp_path / "b.png").hardlink_to(tmp_path / "2.png")
        table = manifest(tmp_path, "path,label\n1.png,pear\na.png,pear\n2.png,pear\nb.png,fruit\n")
        with pytest.raises(InputError, match=r"1 file with several, such as '2.png' and 'b.png' in lines 4 and 5"):
            from_manifest(table, TREE)

    @pytest.mark.skipif(sys.platform == "win32", reason="a backslash separates folders there")
    def test_backslashes_are_slashes_where_that_names_a_file(self, tmp_path: Path, draw) -> None:
        draw("birds/1.png")
        draw(r"birds\2.png")
        table = manifest(tmp_path, "path,label\nbirds\\1.png,a\nbirds\\2.png,a\nbirds/1.png,a\nC:\\birds\\3.png,a\n")
        with pytest.warns(InputWarning, match="1 row names a file that earlier rows name"):
            photos = from_manifest(table)
        assert photos.paths == ("birds/1.png", r"birds\2.png")
        assert [skip.path for skip in photos.skipped] == [r"C:\birds\3.png"]

    def test_accents_in_a_path_match_however_they_are_stored(self, tmp_path: Path, draw) -> None:
        draw("caf\u00e9/1.png")
        photos = from_manifest(manifest(tmp_path, "path,label\ncafe\u0301/1.png,a\n"))
        assert photos.paths == ("caf\u00e9/1.png",)

    def test_an_address_is_no_file(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "path,label\n1.png,a\nhttps://example.org/2.png,a\n")
        (skip,) = from_manifest(table).skipped
        assert (skip.path, skip.reason) == ("https://example.org/2.png", "a URL, not a file")

    def test_splits_do_not_depend_on_how_paths_are_spelt_by_others(self, tmp_path: Path, images: None) -> None:
        rows = "path,label\n" + "".join(f"{n}.png,pear\n" for n in range(1, 5))
        plain = from_manifest(manifest(tmp_path, rows), TREE)
        again = from_manifest(manifest(tmp_path, rows + "nowhere.png,pear\n"), TREE)
        assert {k: v.tolist() for k, v in plain.splits.items()} == {k: v.tolist() for k, v in again.splits.items()}


class TestLabels:
    def test_labels_may_be_ids(self, tmp_path: Path, images: None) -> None:
        tree = manifest(tmp_path, "id,parent,name\nn1,,bird\nn2,n1,wren\n", "taxonomy.csv")
        photos = from_manifest(manifest(tmp_path, "path,label\n1.png,n2\n2.png,wren\n3.png,n1\n"), tree)
        assert [photos.taxonomy.path_name(int(node)) for node in photos.nodes] == ["bird/wren", "bird/wren", "bird"]

    def test_accents_match_however_they_are_stored(self, tmp_path: Path, images: None) -> None:
        tree = Taxonomy.from_paths([("fungi", "Pe\u0301zize")])
        table = manifest(tmp_path, "path,label\n1.png,P\u00e9zize\n2.png,fungi/Pe\u0301zize\n")
        assert from_manifest(table, tree).nodes.tolist() == [2, 2]
        assert from_manifest(table).taxonomy.num_leaves == 2  # two paths: one with a group, one without

    def test_labels_that_differ_only_so_are_one_class(self, tmp_path: Path, images: None) -> None:
        photos = from_manifest(manifest(tmp_path, "path,label\n1.png,P\u00e9zize\n2.png,Pe\u0301zize\n"))
        assert photos.taxonomy.num_leaves == 1
        assert photos.nodes.tolist() == [1, 1]

    @pytest.mark.parametrize(
        ("labels", "told"),
        [
            (("Wren", "wren"), "'wren' next to 'Wren' at"),
            (("wren", "wren\u200b"), "an invisible character in 'wren\\u200b'"),
            (("order > wren", "order > owl"), "2 labels with '>' in them, each read as a single name"),
            (("wren", "NaN"), "labels that may mean a missing value, read as classes: 'NaN'"),
        ],
    )
    def test_labels_that_make_another_tree_than_was_meant_are_told(
        self, tmp_path: Path, images: None, labels: tuple[str, str], told: str
    ) -> None:
        table = manifest(tmp_path, f"path,label\n1.png,{labels[0]}\n2.png,{labels[1]}\n")
        with pytest.warns(InputWarning) as caught:
            from_manifest(table)
        assert any(told in str(warning.message) for warning in caught)

    def test_a_label_for_each_row_is_told(self, tmp_path: Path, draw) -> None:
        rows = "".join(f"{n}.png,wren {n}\n" for n in range(25))
        for n in range(25):
            draw(f"{n}.png")
        with pytest.warns(InputWarning, match="25 rows that all have different labels"):
            from_manifest(manifest(tmp_path, f"path,label\n{rows}"))

    def test_zero_width_characters_are_told(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "path,label\n1.png,pear\u200b\n")
        with pytest.warns(
            InputWarning, match=r"1 label matched only approximately: .* read as 'pear', which only looks .* in line 2"
        ):
            assert from_manifest(table, TREE).nodes.tolist() == [3]

    def test_a_slash_inside_a_name(self, tmp_path: Path, images: None) -> None:
        tree = Taxonomy.from_paths([("Bags", "Luggage/Suitcases"), ("Bags", "Luggage", "Suitcases")])
        rows = "".join(f"{n}.png,{tree.path_name(v)}\n" for n, v in ((1, 2), (2, 4)))
        photos = from_manifest(manifest(tmp_path, f"path,label\n{rows}"), tree)
        assert photos.nodes.tolist() == [2, 4]
        again = from_manifest(tmp_path / "images.csv")
        assert [again.taxonomy.path_names(int(node)) for node in again.nodes] == [tree.path_names(v) for v in (2, 4)]

    def test_the_nearest_names_are_offered(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "path,label\n1.png,Pear\n2.png,FRUIT/pear\n3.png,aple\n")
        with pytest.raises(InputError) as caught:
            from_manifest(table, TREE)
        assert (
            "got 3 that do not: 'Pear' (nearest: 'pear') in line 2; 'FRUIT/pear' (nearest: 'fruit/pear') in line 3; "
            "'aple' (nearest: 'apple') in line 4"
        ) in str(caught.value)
        assert "2 differ from names only in case, blanks, hyphens, underscores or dots." in str(caught.value)

    def test_another_column_that_holds_the_labels_is_named(self, tmp_path: Path, images: None) -> None:
        table = manifest(tmp_path, "path,label,species\n1.png,0,pear\n2.png,1,juice/apple\n")
        with pytest.raises(InputError, match="The column 'species' contains labels of the taxonomy"):
            from_manifest(table, TREE)
        assert from_manifest(table, TREE, label_column="species").nodes.tolist() == [3, 5]


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_one_label_each(tmp_path: Path, images: None) -> None:
    size = 100_000
    tree = Taxonomy([-1, *[0] * size], ["", *(f"n{number}" for number in range(size))])
    rows = "".join(f"1.png/{number},n{number}\n" for number in range(size))
    photos = from_manifest(manifest(tmp_path, f"path,label\n1.png,n7\n{rows}"), tree)
    assert photos.nodes.tolist() == [8]
    assert len(photos.skipped) == size


def test_further_columns_are_read_when_asked_for_row_by_row(tmp_path: Path, images: None) -> None:
    rows = "night,path,label,place\n1,9.png,a,north\n2,2.png,b,south\n3,1.png,a,\n4,2.png,b,again\n"
    with pytest.warns(InputWarning, match="counts once"):
        photos = from_manifest(manifest(tmp_path, rows))
    assert photos.paths == ("2.png", "1.png")
    assert photos.columns is not None
    assert photos.columns.names == ("night", "place")
    found = photos.columns.of(np.array([1, 0, 1]))
    assert found.to_dict(as_series=False) == {"night": ["3", "2", "3"], "place": ["", "south", ""]}
    manifest(tmp_path, rows + "5,3.png,a,west\n")
    with pytest.raises(InputError, match=r"a table with 4 rows .* but got 5 rows .* run the command again"):
        photos.columns.of(np.array([0]))
