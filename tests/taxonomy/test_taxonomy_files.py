"""Files that are read as text at all."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import read
from cladewise.taxonomy.formats.bounded_files import read_bytes, read_text


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "t.nwk"
    file.write_bytes(gzip.compress(b"(a,") + gzip.compress(b"b)r;"))  # as a file of several members
    assert read_bytes(file) == b"(a,b)r;"
    for name in ("t.nwk", "t.nwk.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"(a,b)r;"))
        assert read(tmp_path / name).num_nodes == 3


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:20] + b"x" * 9 + data[29:]])
def test_damaged_gzip_is_refused(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    file = tmp_path / "t.json.gz"
    file.write_bytes(damage(gzip.compress(os.urandom(500))))
    with pytest.raises(InputError, match="Expected whole gzip data, but got an error: "):
        read_bytes(file)


def test_size_is_bounded_before_and_after_unpacking(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    for content in (b"0" * 3_000_000, gzip.compress(b"0" * 3_000_000)):
        file.write_bytes(content)
        assert len(read_bytes(file, limit=3_000_000)) == 3_000_000
        with pytest.raises(InputError, match="Expected at most 1 MiB to read, but got more at "):
            read_bytes(file, limit=2**20)


def test_pipes_devices_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.json")
    for path in (tmp_path / "t.json", Path("/dev/zero")):
        with pytest.raises(InputError, match="Expected a regular file, but got a pipe or a device"):
            read_bytes(path)
    with pytest.raises(InputError, match="Expected a regular file or a folder, but got a named pipe"):
        read(tmp_path / "t.json")
    with pytest.raises(InputError, match="Expected a file, but got a folder"):
        read_bytes(tmp_path)
    with pytest.raises(InputError, match="Expected a file that can be read, but got No such file"):
        read_bytes(tmp_path / "none")


def test_text_of_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    for encoding, got in (("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("latin-1", "byte 0xE9")):
        file.write_bytes("é".encode(encoding))
        with pytest.raises(InputError, match=f"Expected UTF-8 text, but got {got} at .*:1. Save the file as UTF-8"):
            read_text(file)
