"""``cladewise explain`` from its arguments to the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pytorch_grad_cam", reason="needs the extra explain")
pytestmark = pytest.mark.slow  # processes of their own; what they call is tested within one in tests/explanations


def test_it_says_where_the_pictures_are_and_what_was_left_out(shell: Any, run: str) -> None:
    answered = shell("explain", run, "photos/warm/red/0.png", "broken.png", "--level", "tone")
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.strip() == f"{run}/explanations/files/index.json"
    assert "cladewise: broken.png left out: " in answered.stderr
    index = Path(shell.folder / answered.stdout.strip())
    content = json.loads(index.read_text())
    assert [image["path"] for image in content["images"]] == ["photos/warm/red/0.png"]
    assert [each["level"] for each in content["images"][0]["maps"]] == [1]
    assert (index.parent / content["images"][0]["maps"][0]["file"]).is_file()


def test_files_or_images_of_a_split(shell: Any, run: str) -> None:
    answered = shell("explain", run, "broken.png", "--images", "3")
    assert answered.returncode == 2
    assert answered.stderr.strip() == (
        "cladewise: Expected either files or --images, but got both. Leave one of them out."
    )


def test_only_broken_files(shell: Any, run: str) -> None:
    answered = shell("explain", run, "broken.png")
    assert answered.returncode == 2
    assert "broken.png left out" in answered.stderr
