"""Rules say when the scores they are given are not like those they were fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cladewise as cw
from cladewise import datasets, scale
from cladewise.datasets import Dataset
from cladewise.decisions import Leaf
from cladewise.engine import Run, predict
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.rules import decision_of
from cladewise.sources import open_source

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "lr": 0.05,
    "freeze": True,
}
RULE = "calibrate+threshold:threshold=0.6"
pytestmark = pytest.mark.filterwarnings("ignore:calibrate.*labelled images")


@pytest.fixture(scope="module")
def probe(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("drift") / "probe"
    return cw.train(colours, method="hxe", out=out, epochs=10, **TINY)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images of nothing that the network has seen."""
    folder, random = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(60)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path)
    return paths


def test_the_profile_is_kept_with_the_rule(probe: Run) -> None:
    rule = decision_of(RULE, Leaf())
    made, again = (ready(probe, rule, progress=False) for _ in range(2))
    assert made.profile is not None
    assert again.profile is not None
    assert made.profile.drift(again.profile, probe.taxonomy).text == ""
    assert made.profile.num_images == len(probe.dataset.indices("val"))
    assert not any(name.startswith("scores.") for name in made.values)
    assert ready(probe, Leaf(), progress=False).profile is None


def test_the_same_scores_raise_no_warning_and_others_do(probe: Run, noise: list[Path]) -> None:
    usual = cw.evaluate(probe, split="val", decision=RULE, progress=False)
    assert not any("other scores" in text for text in usual.warnings)
    found = predict(probe, noise, decision=RULE, progress=False)
    found.decide()
    told = [text for text in found.warnings if "was fitted on other scores than these" in text]
    assert len(told) == 1
    assert told[0].startswith("calibrate+threshold-0.6 was fitted on other scores than these (")
    assert "images of val): " in told[0]
    found.to_frame()
    assert len([text for text in found.warnings if "other scores" in text]) == 1


def test_predictions_in_parts_tell_at_the_end(probe: Run, noise: list[Path]) -> None:
    told: list[str] = []
    source = open_source([str(path) for path in noise])
    tables = list(scale.predict_tables(probe, source, decision=RULE, part_rows=16, progress=False, warned=told.append))
    assert sum(map(len, tables)) == 60
    assert len([text for text in told if "was fitted on other scores" in text]) == 1


def test_evaluations_on_other_images_tell(probe: Run, colours: Dataset, noise: list[Path], tmp_path: Path) -> None:
    label = "/".join(colours.taxonomy.path_name(int(colours.nodes[0])).split("/"))
    rows = "\n".join(f"{path},{label},test" for path in noise)
    table = tmp_path / "noise.csv"
    table.write_text(f"path,label,split\n{rows}\n")
    data = datasets.from_manifest(table, taxonomy=colours.taxonomy)
    found = cw.evaluate(probe, decision=RULE, data=data, progress=False)
    assert any("was fitted on other scores than these" in text for text in found.warnings)
