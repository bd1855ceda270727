"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from cladewise.atomic import append_lines, explaining, replacing, write_bytes, write_text, writing
from cladewise.errors import InputError


def test_the_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_no_debris(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "a.txt") as file:
        file.write(b"new" * (1 // 0))
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "ä\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa4\n"


def test_others_may_read_it(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_bytes(tmp_path / "a.bin", b"")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o644


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: the write fails in the same place."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(InputError) as caught:
            write_bytes(tmp_path / "a.bin", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert str(caught.value) == (
        f"Expected a place to write to, but got file too large at {tmp_path / 'a.bin'}. "
        "Choose another disk, or raise the limit on file sizes."
    )
    assert os.listdir(tmp_path) == []


def test_no_space_left(tmp_path: Path) -> None:
    message = r"no space left on device at .*a.bin. Free some space on that disk"
    with pytest.raises(InputError, match=message), writing(tmp_path / "a.bin"), open("/dev/full", "wb", 0) as full:
        full.write(b"x")
    assert os.listdir(tmp_path) == []


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match=r"Choose another name: part of this path is a file."):
        write_text(tmp_path / "a" / "b.txt", "")


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"is a directory at .*there is a folder of this name."):
        write_text(tmp_path / "a", "")
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(InputError, match=r"permission denied at .*Choose a folder that you may write to."):
        write_text(tmp_path / "locked" / "a.txt", "")


def test_errors_of_the_block_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), replacing(tmp_path / "a.txt"):
        raise PermissionError(errno.EACCES, "no", "/somewhere/else")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        (tmp_path / "gone").read_text()


def test_files_of_killed_processes_go_at_the_next_write(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with writing(tmp_path / "a.bin") as file:
            file.write(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a.cladewise-")
    other = tmp_path / ".a.cladewise-00000000-1-00000000.bin"  # of a process elsewhere, which may be alive
    abandoned = tmp_path / ".b.cladewise-00000000-1-00000000.bin"
    for path in (other, abandoned, tmp_path / ".mine.bin"):
        path.touch()
    os.utime(abandoned, (0, 0))
    with writing(tmp_path / "a.bin") as file:
        file.write(b"whole")
        assert not left.exists()
    assert sorted(os.listdir(tmp_path)) == [other.name, ".mine.bin", "a.bin"]


def test_lines_are_added_whole_after_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    append_lines(path, "1\n")
    path.write_bytes(path.read_bytes() + b"x" * 5000)  # a kill left this without its end
    append_lines(path, "2\n3\n")
    assert path.read_text() == "1\n2\n3\n"
    path.write_text("x" * 5000)
    append_lines(path, "1\n")
    assert path.read_text() == "1\n"


def test_lines_for_which_there_is_no_room_leave_nothing(tmp_path: Path) -> None:
    append_lines(tmp_path / "a.jsonl", "1\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(InputError, match=r"file too large at .*a\.jsonl"):
            append_lines(tmp_path / "a.jsonl", "2" * 500 + "\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "a.jsonl").read_text() == "1\n"


def test_a_folder_that_cannot_be_created_above_the_file_is_told_in_one_line(tmp_path: Path) -> None:
    target = tmp_path / "read-only" / "new" / "a.txt"
    with pytest.raises(InputError, match=r"read-only file system at .*a\.txt\. Choose a folder"), explaining(target):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path / "read-only"))
