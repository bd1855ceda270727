"""Files of folders and archives."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy.formats.kinds import kind_of
from cladewise.taxonomy.formats.members import is_archive, matching, members_of


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder with a hidden file and a subfolder."""
    folder = tmp_path / "export"
    (folder / "data").mkdir(parents=True)
    (folder / "meta.xml").write_text("<archive/>")
    (folder / ".DS_Store").write_text("")
    (folder / "data" / "taxon.tsv").write_text("id\n1\n")
    return folder


def packed(folder: Path, kind: str, *, inside: str = "") -> Path:
    path = folder.with_name(f"export.{kind}")
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, inside + file.relative_to(folder).as_posix())
    else:
        with tarfile.open(path, "w:" + kind.partition(".")[2]) as archive:
            for file in files:
                archive.add(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("inside", ["", "dump-2026/"])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_reads_as_its_folder(export: Path, kind: str, inside: str) -> None:
    path = packed(export, kind, inside=inside)
    assert is_archive(path)
    with members_of(export) as folder, members_of(path) as archive:
        assert folder.names == archive.names == ["data/taxon.tsv", "meta.xml"]
        for members in (folder, archive):
            assert members.open("data/taxon.tsv").read() == b"id\n1\n"
            with members.file("data/taxon.tsv") as file:
                assert file.name == "taxon.tsv"
                assert file.read_bytes() == b"id\n1\n"
    assert not file.exists()


@pytest.mark.parametrize("cut", [0.3, 0.9])
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_damaged_archive_is_one_line(export: Path, kind: str, cut: float) -> None:
    path = packed(export, kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(InputError, match="whole archive") as caught, members_of(path) as members:
        members.open("meta.xml").read()
    assert str(path) in str(caught.value)


def test_a_member_that_unpacks_to_too_much_is_refused(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cladewise.taxonomy.formats.members.MAX_BYTES", 3)
    path = packed(export, "zip")
    with members_of(path) as members, pytest.raises(InputError, match="to unpack"), members.file("data/taxon.tsv"):
        pytest.fail("a file that is too large was unpacked")


def test_another_file_has_no_members(tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_text("group,kind\n")
    with pytest.raises(InputError, match="a folder, a zip archive"), members_of(tmp_path / "classes.csv"):
        pytest.fail("a table has no members")


def test_each_pattern_needs_a_name() -> None:
    assert matching(["a/Taxon.TSV", "meta.xml"], ["*taxon.*"]) == ["a/Taxon.TSV"]
    assert matching(["meta.xml"], ["meta.xml", "*taxon.*"]) is None


def test_a_kind_is_recognised_packed_and_unpacked(export: Path) -> None:
    assert kind_of(export) is None
    (export / "data.noun").write_text("")
    assert (found := kind_of(export)) is not None
    assert found.name == "wordnet"
    assert kind_of(packed(export, "zip", inside="dict/")) == found
