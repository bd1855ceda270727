"""``cladewise datasets show``: facts, and the check of a copy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cladewise import datasets
from cladewise.datasets.published.registry import PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_facts_are_printed(here: Any, name: str) -> None:
    code, out, err = here("datasets", "show", name)
    assert (code, err) == (0, "")
    facts = datasets.facts(name)
    for text in (facts.licence, facts.citation, facts.where, *facts.levels, *facts.files, *facts.images):
        assert text in out
    for count in (*facts.levels.values(), *facts.images.values()):
        assert f" {count:,} " in out
    assert "found" not in out


def test_a_copy_is_checked(here: Any, tmp_path: Path) -> None:
    options = datasets.write_made_up("fgvc-aircraft", tmp_path)
    code, out, err = here("datasets", "show", "fgvc-aircraft", "--path", options["path"])
    assert (code, err) == (1, "")
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in out.splitlines() if line.startswith(" ")}
    assert rows["manufacturer", "classes"] == ["30", "3", "!"]
    assert rows["train", "images"] == ["3,334", "12", "!"]
    assert out.splitlines()[-1] == f"{options['path']}: 6 of 6 numbers differ"
    shutil.rmtree(Path(options["path"], "data/images"))
    code, out, err = here("datasets", "show", "fgvc-aircraft", "--path", options["path"])
    assert (code, out) == (2, "")
    assert "cladewise: Expected the folder images of FGVC-Aircraft, but got none at" in err


def test_names_that_are_none(here: Any) -> None:
    code, _, err = here("datasets", "show", "cifar-10")
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("Did you mean cifar-100?\n")
    code, _, err = here("datasets", "show", "cub-200-2011", "--data-option", "corected=true", "--path", "birds")
    assert (code, "options of cub-200-2011: corrected, path, but got corected" in err) == (2, True)
