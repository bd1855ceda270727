"""Small photographs, a run trained on them, and the documentation's tables."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from cladewise.cli import main

ROOT = Path(__file__).parents[2]
COLOURS = {
    "warm/red": (200, 30, 30),
    "warm/orange": (220, 130, 20),
    "cold/blue": (20, 20, 160),
    "cold/green": (30, 160, 40),
}
TINY = (
    *("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0"),
    *("--batch-size", "16", "--lr", "0.05", "--freeze", "--epochs", "12"),
)


class Shell:
    """Runs the command line as a user does: in a process of its own, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "CLADEWISE_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "120",
        }

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cladewise", *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with ``photos`` (one of them broken) and ``classes.csv``."""
    folder = tmp_path_factory.mktemp("cli")
    random = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(10):
            noise = random.normal(0, 12, (24, 24, 3))
            image = Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))
            image.save(folder / "photos" / label / f"{number}.png")
    (folder / "broken.png").write_bytes((folder / "photos/warm/red/0.png").read_bytes()[:200])
    (folder / "classes.csv").write_text("tone,colour\nwarm,red\nwarm,orange\ncold,blue\ncold,green\n")
    return Shell(folder)


@pytest.fixture(scope="session")
def run(shell: Shell) -> str:
    """A trained run, ``runs/hace``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shell.folder)
        patch.setenv("CLADEWISE_CACHE", shell.environment["CLADEWISE_CACHE"])
        code, out, err = in_this_process("train", "photos", "--taxonomy", "classes.csv", "--out", "runs/hace", *TINY)
    assert code == 0, err
    assert "cladewise evaluate runs/hace" in out
    return "runs/hace"


def in_this_process(*words: str | Path) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, without a process for it."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cladewise", *map(str, words)])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture
def here(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """The command line within this process, in the folder of the photographs: exit code, output, errors."""
    monkeypatch.chdir(shell.folder)
    monkeypatch.setenv("CLADEWISE_CACHE", shell.environment["CLADEWISE_CACHE"])

    return in_this_process


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    """The hook that writes the documentation's tables."""
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "hooks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
