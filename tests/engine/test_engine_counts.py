"""A run keeps how many images its data had."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import cladewise as cw
from cladewise.datasets import Dataset
from cladewise.records import counts


def test_a_run_counts_the_images_of_every_node_and_split(colours: Dataset, tmp_path: Path) -> None:
    settings = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "progress": False}
    run = cw.train(colours, method="hace", out=tmp_path / "run", epochs=0, **settings)
    found = counts.read_counts(run.folder.counts, colours.taxonomy.num_nodes)
    assert set(found) == set(colours.splits)
    for split, rows in colours.splits.items():
        expected = np.bincount(colours.nodes[rows], minlength=colours.taxonomy.num_nodes)
        assert found[split].tolist() == expected.tolist()
