"""Tables that are no trees as they stand: what is refused, and what the advice is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import read

TABLES = {
    "nested set": (
        "id,name,lft,rgt\n1,animals,1,8\n2,birds,2,5\n3,wren,3,4\n4,moths,6,7\n",
        r"'lft' and 'rgt' are the bounds of a nested set\).* Write the parent of every row in a column",
    ),
    "codes with prefixes": (
        "code,title\n11,Agriculture\n111,Crops\n1111,Oilseed\n112,Animals\n21,Mining\n211,Oil and gas\n",
        r"codes in 'code' extend those of other rows.* Write the parent's code of every row",
    ),
    "codes that only count": (
        "id,title\n" + "".join(f"{k},name {k}\n" for k in range(1, 30)),
        r"'id' describes nodes.* pass levels=\[\"title\"\]",
    ),
    "two tables": (
        "group,kind\nFruit,Apple\nFruit,Pear\n\nid,label\n1,Apple\n2,Pear\n",
        r"another header, 'id', 'label', behind a blank line at .*:5\. Write each table to a file of its own",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_the_advice(tmp_path: Path, case: str) -> None:
    text, message = TABLES[case]
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "table.csv")


def test_labels_behind_a_blank_line_are_labels(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("group,kind\nFruit,Apple\n\ncode,family\ncode,name\n")
    assert read(tmp_path / "table.csv").num_leaves == 3


@pytest.mark.parametrize("name", ["labels.xlsx", "labels.ods"])
def test_a_spreadsheet_is_named(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("content.xml", "<office/>")
    with pytest.raises(
        InputError, match=r"got a spreadsheet \(\.(xlsx|ods)\) .* Save the sheet with the labels as CSV"
    ):
        read(tmp_path / name)


def test_an_unknown_archive_is_told_by_what_it_holds(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.writestr("naics.csv", "code,title\n")
    with pytest.raises(InputError, match=r"known format \(.*dwca, coldp, taxdump.*got one that holds 'naics\.csv'"):
        read(tmp_path / "labels.zip")
