"""Tables of descriptors with dotted tree numbers, as MeSH has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read

ROWS = """DescriptorUI,DescriptorName,TreeNumbers
D009369,Neoplasms,C04
D009371,Neoplasms by Site,C04.588
D004066,Digestive System Diseases,C06
D004067,Digestive System Neoplasms,C04.588.274;C06.301
D005770,Gastrointestinal Neoplasms,C04.588.274.476;C06.301.371;C06.405.249
"""


def parents_of(tree: Taxonomy, name: str) -> list[str]:
    return [str(tree.names[v]) for v in tree.all_parents(tree.find(name))]


def test_a_place_is_below_the_descriptor_with_the_shorter_number(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    tree = read(tmp_path / "t.csv", parents="all", roots="join")
    assert tree.path_name(tree.find("D004067")) == "Neoplasms/Neoplasms by Site/Digestive System Neoplasms"
    assert parents_of(tree, "D004067") == ["Neoplasms by Site", "Digestive System Diseases"]
    # C06.405 has no descriptor, so C06 is above; and it is above C06.301 anyway
    assert parents_of(tree, "D005770") == ["Digestive System Neoplasms", "Digestive System Diseases"]
    assert tree.columns["id"][tree.find("Neoplasms")] == "D009369"
    assert tree.columns["TreeNumbers"][tree.find("D004067")] == "C04.588.274;C06.301"


def test_one_row_per_number_is_the_same_tree(tmp_path: Path) -> None:
    header, *rows = ROWS.splitlines()
    cells = [row.rsplit(",", 1) for row in rows]
    single = [f"{start},{number}" for start, numbers in cells for number in numbers.split(";")]
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "s.csv").write_text("\n".join([header.removesuffix("s"), *single]))
    one, other = (read(tmp_path / name, parents="all", roots="join") for name in ("t.csv", "s.csv"))
    assert one == other


def test_descriptors_without_ids(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("MeSH Heading\tTree Numbers\nEye\tA01.456\nFace\tA01.456.505, A02\nHead\tA01\n")
    tree = read(tmp_path / "t.tsv", parents="all", roots="join")
    assert parents_of(tree, "Face") == ["Eye"]
    assert "id" not in tree.columns


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    with pytest.raises(InputError, match=r"parents of 'Digestive System Neoplasms'.*Pass parents=.all."):
        read(tmp_path / "t.csv", roots="join")
    with pytest.raises(InputError, match="another root 'Digestive System Diseases' next to 'Neoplasms'"):
        read(tmp_path / "t.csv", parents="all")
    (tmp_path / "t.csv").write_text(ROWS + "D000001,Calcimycin,C06\n")
    with pytest.raises(InputError, match="each tree number at one descriptor, but got 'C06' of 'D000001', 'D004066'"):
        read(tmp_path / "t.csv", parents="all", roots="join")
    (tmp_path / "t.csv").write_text("name,size\na,1\nb,2\n")
    with pytest.raises(InputError, match=r"a column of tree numbers such as C04\.588, but got 'name', 'size'"):
        read(tmp_path / "t.csv", format="tree-numbers")
