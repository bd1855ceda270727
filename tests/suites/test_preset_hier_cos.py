"""The suites of Hier-COS: the settings of the authors' scripts, and probes that treat all methods alike."""

from __future__ import annotations

import pytest

from cladewise.suites import read_suite

SUITE = read_suite("hier-cos")
SCRIPTS = {
    "cifar-100": (0.05, 64, "resnet18"),
    "fgvc-aircraft": (0.1, 64, "resnet50.tv_in1k"),
    "inat-2019": (0.001, 256, "resnet50.tv_in1k"),
    "tiered-imagenet-h": (0.00001, 256, "resnet50.tv_in1k"),
}
"""Weight of the spread and size of a batch in the script of each dataset, and the encoder here."""
COLUMNS = ("top1", "severity", "hd@1", "hd@5", "hd@20", "full_path", "hops", "hops@20", "hops@5")


@pytest.mark.parametrize("data", SCRIPTS)
def test_settings_of_the_scripts(data: str) -> None:
    alpha, batch, encoder = SCRIPTS[data]
    row = SUITE.resolved(data, "Hier-COS")
    assert (row.method, row.options["alpha"], row.options["width"]) == ("hier-cos", alpha, 600)
    assert SUITE.resolved(data, "Hier-COS, no spread").options["alpha"] == 0.0
    for label in ("flat-softmax", "hxe", "soft-labels", "hace", "Hier-COS", "Hier-COS, no spread"):
        settings, backbone = SUITE.resolved(data, label).training, SUITE.resolved(data, label).backbone
        assert (settings.optimizer, settings.lr, settings.momentum, settings.weight_decay) == ("sgd", 0.1, 0.9, 5e-4)
        assert (settings.epochs, settings.batch_size, settings.schedule) == (100, batch, "cosine")
        assert (backbone.name, backbone.freeze) == (encoder, False)
    (table,) = SUITE.on(data).tables
    assert (table.name, table.columns, table.published) == (data, COLUMNS, ())
    assert SUITE.search is None
    assert SUITE.seeds == 5


@pytest.mark.parametrize("name", ["hier-cos-grocery", "hier-cos-emoji"])
def test_probes_are_searched_alike(name: str) -> None:
    suite = read_suite(name)
    assert suite.search is not None
    assert (suite.search.metric, suite.search.options) == ("leaf_top1", "default")
    (table,) = suite.tables
    assert {"top1", "hd@5", "hops", "hops@20", "hops@5"} <= set(table.columns)
    assert {"flat-softmax", "hxe", "hace", "hier-cos", "hier-cos:width=0"} <= set(suite.methods)
