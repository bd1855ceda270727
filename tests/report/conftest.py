"""Run folders over one small tree, fresh for every test."""

from __future__ import annotations

import importlib.util
import io
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from cladewise import Taxonomy


def _load(name: str) -> ModuleType:
    """A module of this folder: test folders are not packages and not on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


run_folders = _load("run_folders")


@pytest.fixture(scope="session")
def drawn():
    """Draws the figures of a section, small, and gives their texts by name."""

    def draw(section) -> dict[str, str]:
        texts = {}
        for name, figure in section.drawings():
            picture = io.StringIO()
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Glyph .* missing")
                figure.savefig(picture, format="svg", dpi=20)
            texts[name] = picture.getvalue()
        return texts

    return draw


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return run_folders.small_taxonomy()


@pytest.fixture(scope="session")
def images(taxonomy, tmp_path_factory):
    return run_folders.draw_images(tmp_path_factory.mktemp("images"), taxonomy)


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def maker(taxonomy, images, templates, tmp_path):
    return run_folders.RunMaker(tmp_path / "runs", taxonomy, images, templates)


@pytest.fixture(scope="module")
def module_maker(taxonomy, images, templates, tmp_path_factory):
    """Like ``maker``, for folders that the tests of a module share and only read."""
    return run_folders.RunMaker(tmp_path_factory.mktemp("runs"), taxonomy, images, templates)


@pytest.fixture
def make_maker(templates, tmp_path):
    """A maker over any tree; the images are only named, not drawn."""

    def make(tree: Taxonomy, per_leaf: int = 1):
        named = run_folders.draw_images(tmp_path / "nowhere", tree, per_leaf, drawn=False)
        return run_folders.RunMaker(tmp_path / "more-runs", tree, named, templates)

    return make
