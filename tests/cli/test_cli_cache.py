"""``cladewise cache``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import TINY

Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cache(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with texts and features of an earlier version."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.safetensors").write_bytes(bytes(1234))
    (tmp_path / "features" / "old").mkdir(parents=True)
    (tmp_path / "features" / "old" / "key.json").write_bytes(bytes(2_000_000))
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path))
    return tmp_path


def test_the_cache_is_listed(cache: Path, here: Here) -> None:
    code, out, err = here("cache")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[1][:4] == ["features/old", "features", "2", "MB"]
    assert lines[1][-4:] == ["by", "an", "earlier", "version"]
    assert lines[2][:6] == ["texts", "features", "of", "texts", "1.23", "kB"]
    assert out.splitlines()[-1] == f"2 MB in {cache}"


def test_features_of_a_run_are_listed(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))
    code, _, err = here("train", "photos", "--taxonomy", "classes.csv", "--out", tmp_path / "run", *TINY)
    assert code == 0, err
    _, out, _ = here("cache")
    (line,) = [line for line in out.splitlines() if "test_resnet, fp32" in line]
    images, views = map(int, line.split()[3:5])
    assert 0 < images <= 40  # those of train and val
    assert views == 1


def test_nothing_is_removed_without_yes(cache: Path, here: Here) -> None:
    code, out, _ = here("cache", "--clear", "stale")
    assert code == 0
    assert out.splitlines()[-1] == "2 MB would be removed. Add --yes to remove them."
    assert (cache / "features" / "old").is_dir()
    code, _, err = here("cache", "--yes")
    assert (code, "Add --clear stale" in err) == (2, True)
    code, _, err = here("cache", "--clear", "", "--yes")
    assert (code, "but got an empty text" in err) == (2, True)
    assert (cache / "texts").is_dir()
    code, _, err = here("cache", "--clear", "text", "--yes")
    assert (code, "Did you mean texts?" in err) == (2, True)


def test_what_is_chosen_is_removed(cache: Path, here: Here) -> None:
    code, out, _ = here("cache", "--clear", "stale", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "2 MB removed")
    assert [path.name for path in cache.iterdir() if any(path.iterdir())] == ["texts"]
    code, out, err = here("cache", "--clear", "stale", "--yes")
    assert (code, out, err) == (0, "", f"nothing to remove in {cache}\n")
    code, out, err = here("cache", "--older-than", "3")
    assert (code, out, err) == (0, "", f"nothing cached in {cache} that was last used more than 3 days ago\n")
    assert here("cache", "--clear", "all", "--yes")[0] == 0
    assert not (cache / "texts").exists()


def test_the_cache_is_listed_without_torch(cache: Path) -> None:
    command = "from cladewise.cli.app import app; app(['cache'], standalone_mode=False)"
    program = f"import sys; {command}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
