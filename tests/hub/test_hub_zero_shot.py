"""An open_clip model on the hub, fetched by open_clip's own client."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbones.tiny_towers import write_clip
from cladewise.engine import Run, zero_shot
from cladewise.errors import InputError
from cladewise.hub import share
from cladewise.taxonomy import Taxonomy
from hub.hub_server import Hub, Repository

TREE = Taxonomy.from_paths([("bird", "wren"), ("bird", "warbler"), ("fern",)])


def test_a_model_on_the_hub_gives_the_run_of_a_folder(hub: Hub, tmp_path: Path) -> None:
    local = write_clip(tmp_path / "clip")
    files = {file.name: file.read_bytes() for file in (tmp_path / "clip").iterdir()}
    repository = Repository()
    repository.commit("main", files)
    hub.repositories["jane/tiny-clip"] = repository
    runs = [
        zero_shot(TREE, model=name, out=tmp_path / out, progress=False)
        for name, out in (("open_clip:hf-hub:jane/tiny-clip", "hub"), (local, "local"))
    ]
    weights = [run.classifier.head.get_parameter("weight") for run in runs]
    assert weights[0].equal(weights[1])
    share(runs[0].path, tmp_path / "shared")
    assert Run.open(tmp_path / "shared").classifier.head.get_parameter("weight").equal(weights[0])
    with pytest.raises(InputError, match="an open_clip model, but got open_clip:hf-hub:jane/other"):
        zero_shot(TREE, model="open_clip:hf-hub:jane/other", out=tmp_path / "other", progress=False)


def test_a_model_whose_weights_do_not_arrive_is_not_random(hub: Hub, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip")
    repository = Repository()
    config = (tmp_path / "clip" / "open_clip_config.json").read_bytes()
    repository.commit("main", {"open_clip_config.json": config})
    hub.repositories["jane/tiny-clip"] = repository
    with pytest.raises(InputError, match="Required pretrained weights"):
        zero_shot(TREE, model="open_clip:hf-hub:jane/tiny-clip", out=tmp_path / "run", progress=False)
