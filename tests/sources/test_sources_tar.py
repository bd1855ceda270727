"""Tar archives: as WebDataset writes and reads them, and as they break."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import webdataset

from cladewise.errors import InputError, InputWarning
from cladewise.sources import Row, open_source
from sources.reading_rows import rows_of, told


def write_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read(*words: Any, **options: Any) -> list[Row]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return rows_of(open_source(words, **options))


@pytest.fixture
def shards(here: Path, picture: Any) -> Path:
    with webdataset.ShardWriter("shard-%03d.tar", maxcount=40, verbose=0) as writer:  # pyright: ignore
        for number in range(100):
            sample = {"__key__": f"site/{number:04d}", "cls": number % 3, "jpg": picture(number, format="JPEG")}
            if number % 2:
                sample["json"] = {"number": number, "site": "pönd"}
            writer.write(sample)
    return here


def test_shards_hold_what_webdataset_reads(shards: Path) -> None:
    source = open_source(["shard-{000..002}.tar"])
    assert source.columns == dict.fromkeys(("key", "cls", "json"), pl.String())
    rows = rows_of(source)
    theirs = list(webdataset.WebDataset([f"shard-{k:03d}.tar" for k in range(3)], shardshuffle=False))
    assert len(rows) == len(theirs) == 100
    for row, sample in zip(rows, theirs, strict=True):
        assert row.read() == sample["jpg"]
        assert row.columns["key"] == sample["__key__"]
        assert row.name == f"{sample['__url__']}/{sample['__key__']}.jpg"
        assert row.columns["cls"] == sample["cls"].decode()
        assert row.columns["json"] == (sample["json"].decode() if "json" in sample else None)
    assert [row.name for row in rows_of(open_source(["shard-*.tar"]))] == [row.name for row in rows]
    assert next((chunk.file, chunk.start, chunk.stop) for chunk in source.chunks(7)) == ("shard-000.tar", 0, None)
    assert source.num_rows is None


def test_a_compressed_archive_has_the_same_rows(shards: Path) -> None:
    Path("a.tar.gz").write_bytes(gzip.compress(Path("shard-000.tar").read_bytes()))
    Path("b.tgz").write_bytes(Path("a.tar.gz").read_bytes())
    plain = [row.read() for row in read("shard-000.tar")]
    assert [row.read() for row in read("a.tar.gz")] == plain
    assert [row.read() for row in read("b.tgz")] == plain


def test_remote_shards_are_expanded_without_a_listing(shards: Path) -> None:
    import fsspec

    system: Any = fsspec.filesystem("memory")
    for number in range(3):
        system.pipe_file(f"/museum/shard-{number:03d}.tar", Path(f"shard-{number:03d}.tar").read_bytes())
    rows = rows_of(open_source(["memory://museum/shard-{000..002}.tar"]))
    assert [row.name.removeprefix("memory://museum/") for row in rows] == [row.name for row in read("shard-*.tar")]
    with pytest.raises(InputError, match=r"no such file at memory://museum/shard-003.tar"):
        open_source(["memory://museum/shard-{000..003}.tar"])
    with pytest.raises(InputError, match=r"'shard-003.tar', which matches nothing"):
        open_source(["shard-{000..003}.tar"])


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_cut_anywhere_says_so_in_its_last_row(here: Path, picture: Any, compressed: bool) -> None:
    names = [f"{k}.png" for k in range(6)]
    whole = write_tar(here / "whole.tar", [(name, picture(k)) for k, name in enumerate(names)]).read_bytes()
    whole = gzip.compress(whole) if compressed else whole
    # the last header, its data and the block of zeros that ends the archive lie before the padding
    end = len(whole) if compressed else 6 * 1024 + 512
    path = here / ("cut.tar.gz" if compressed else "cut.tar")
    for length in range(end - 1, 40, -97 if not compressed else -11):
        path.write_bytes(whole[:length])
        rows = rows_of(open_source([path.name]))
        assert rows[-1].name == path.name, length
        assert str(told(rows[-1])).startswith("an archive that ends too early, after "), length
        assert [row.read() for row in rows[:-1]] == [picture(k) for k in range(len(rows) - 1)]
        assert len(rows) - 1 >= (0 if compressed else (length - 700) // 1024)
    path.write_bytes(whole)
    assert [row.name for row in read(path.name)] == [f"{path.name}/{name}" for name in names]


def test_damage_and_joined_archives_are_told(here: Path, picture: Any) -> None:
    whole = write_tar(here / "a.tar", [(f"{k}.png", picture(k)) for k in range(4)]).read_bytes()
    (here / "b.tar").write_bytes(whole[:2048] + b"\1" * 512 + whole[2560:])
    rows = read("b.tar")
    assert [told(row) for row in rows] == [picture(0), picture(1), "a damaged archive, after 1.png (invalid header)"]
    (here / "c.tar").write_bytes(whole + whole)
    rows = read("c.tar")
    assert len(rows) == 5
    assert told(rows[-1]) == "further content behind the end of the archive, after 3.png (archives joined by cat?)"
    (here / "d.tar").write_bytes(b"no archive at all" * 100)
    assert str(told(read("d.tar")[0])).startswith("a damaged archive, after nothing")
    (here / "e.tar").write_bytes(b"")
    assert told(read("e.tar")[0]) == "an archive that ends too early, after nothing"
    write_tar(here / "f.tar", [])
    assert told(read("f.tar")[0]) == "an archive without an image"


def test_names_that_webdataset_drops_or_splits_are_all_rows(here: Path, picture: Any) -> None:
    names = ["./a.b.JPG", "a.c.png", "x.y/2.PNG", "plain", "no-image"]
    hidden = ["._a.jpg", ".git/b.jpg", "__MACOSX/c.jpg"]
    contents = [(name, picture(k)) for k, name in enumerate(names[:-1])]
    write_tar(here / "a.tar", [*contents, (names[-1], b"text"), *((name, picture()) for name in hidden)])
    source = open_source(["a.tar"])
    assert list(source.columns) == ["key"]
    with pytest.warns(InputWarning, match=r"1 members that are no images, left out, such as 'no-image' at a.tar"):
        rows = rows_of(source)
    assert [row.name for row in rows] == ["a.tar/a.b.JPG", "a.tar/a.c.png", "a.tar/x.y/2.PNG", "a.tar/plain"]
    assert [row.read() for row in rows] == [content for _, content in contents]
    assert [row.columns["key"] for row in rows] == ["a", "a", "x.y/2", "plain"]


def test_samples_without_an_image_and_with_several(here: Path, picture: Any) -> None:
    members = [
        *[("1.jpg", picture(1)), ("1.json", b"{}"), ("1.seg.png", picture(2))],
        *[("2.json", b'{"lost": true}'), ("2.npy", b"..."), ("3.jpg", picture(3)), ("4.PNG", b""), ("4.json", b"")],
    ]
    write_tar(here / "a.tar", members)
    rows = read("a.tar")
    assert [(row.name, told(row)) for row in rows[:4]] == [
        ("a.tar/1.jpg", picture(1)),
        ("a.tar/1.seg.png", picture(2)),
        ("a.tar/2", "a sample without an image: json, 2.npy"),
        ("a.tar/3.jpg", picture(3)),
    ]
    assert [row.columns["json"] for row in rows] == ["{}", "{}", '{"lost": true}', None, ""]
    rows = read("a.tar", column="jpg")
    assert [row.name for row in rows] == ["a.tar/1.jpg", "a.tar/2", "a.tar/3.jpg", "a.tar/4"]
    assert told(rows[-1]) == "a sample without an image .jpg: json, 4.PNG"
    assert [row.read() for row in read("a.tar", column="seg.png")[:1]] == [picture(2)]


def test_repeated_keys_and_names_are_told(here: Path, picture: Any) -> None:
    members = [
        ("1.jpg", picture(1)),
        ("2.jpg", picture(2)),
        ("1.json", b"{}"),
        ("2.jpg", picture(3)),
        ("9.json", b"{}"),
    ]
    write_tar(here / "a.tar", [*members, ("9.jpg", picture(9))])
    with pytest.warns(InputWarning) as caught:
        rows = rows_of(open_source(["a.tar"]))
    assert [row.name.removeprefix("a.tar/") for row in rows] == ["1.jpg", "2.jpg", "1", "2.jpg", "9.jpg"]
    assert told(rows[2]) == "a sample without an image: json"
    texts = [str(warning.message) for warning in caught]
    assert "2 keys that come again after others" in texts[0]
    assert "1 images with the name of an earlier one, such as '2.jpg'" in texts[1]


def test_links_and_samples_that_are_too_large_are_errors_of_their_rows(
    here: Path, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(here / "a.tar", "w") as tar:
        for name, kind in (("a.jpg", tarfile.REGTYPE), ("b.jpg", tarfile.LNKTYPE), ("c.jpg", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.jpg" if kind != tarfile.REGTYPE else ""
            info.size = len(picture()) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(picture()))
    assert [told(row) for row in read("a.tar")] == [picture(), *["a link to a.jpg in the archive"] * 2]
    monkeypatch.setattr("cladewise.sources.tar._MAX_SAMPLE", 2 * len(picture()))
    write_tar(here / "b.tar", [*((f"2024.{k}.png", picture()) for k in range(3)), ("2024.json", b"{}")])
    assert ["shares its key, '2024'" in str(told(row)) for row in read("b.tar")] == [True] * 3


def test_pax_and_long_names_are_read(here: Path, picture: Any) -> None:
    name = "folder/" * 40 + "é" * 60 + ".png"
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(here / "a.tar", "w", format=kind) as tar:
            info = tarfile.TarInfo(name)
            info.size = len(picture())
            tar.addfile(info, io.BytesIO(picture()))
        (row,) = read("a.tar")
        assert (row.name, row.read()) == (f"a.tar/{name}", picture())


def test_other_archives_and_files_are_refused_with_what_is_known(here: Path) -> None:
    for name in ("a.zip", "a.tar.zst", "a.xlsx", "a.npy", "list.txt"):
        (here / name).touch()
        with pytest.raises(InputError, match=r"archives \(.tar, .tar.gz\).*but got '" + name):
            open_source([name])
    with pytest.raises(InputError, match="a range that runs forwards"):
        open_source(["a-{3..1}.tar"])
    with pytest.raises(InputError, match="at most a million archives"):
        open_source(["a-{0000..9999}-{0000..9999}.tar"])
