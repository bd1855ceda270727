"""``cladewise compare`` from its arguments to the file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cladewise import InputError
from cladewise.cli.compare import compare


def _maker_module():
    file = Path(__file__).parents[1] / "report" / "run_folders.py"
    spec = importlib.util.spec_from_file_location("run_folders", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("run_folders", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folders(tmp_path):
    module = _maker_module()
    tree = module.small_taxonomy()
    (tmp_path / "templates").mkdir()
    maker = module.RunMaker(
        tmp_path / "runs", tree, module.draw_images(tmp_path / "images", tree, 2), tmp_path / "templates"
    )
    return [str(maker.write("flat")), str(maker.write("hace", method="hace", decision="node-argmax", skill=0.9))]


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(compare)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_writes_the_page_and_says_where(run, folders, tmp_path):
    out = tmp_path / "pages" / "report.html"
    result = run(*folders, "--out", out, "--baseline", "hace", "--title", "Two heads")
    assert result.exit_code == 0, result.output
    assert result.output.strip() == str(out)
    text = out.read_text(encoding="utf-8")
    assert "<title>Two heads</title>" in text
    assert "The third line is the difference from <b><bdi>hace</bdi></b>" in text


def test_the_split_and_the_decision_are_passed_on(run, folders, tmp_path):
    result = run(*folders, "--out", tmp_path / "a.html", "--split", "val")
    assert isinstance(result.exception, InputError)
    assert "the split 'val'" in str(result.exception)
    result = run(*folders, "--out", tmp_path / "a.html", "--decision", "leaf")
    assert "by the decision 'leaf' in" in str(result.exception)
    assert not (tmp_path / "a.html").exists()


def test_help_needs_no_arguments(run):
    result = run("--help")
    assert result.exit_code == 0
    assert "--baseline" in result.output
