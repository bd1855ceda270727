"""Lighter forms of a suite: a smoke run on made-up files, and linear probes on features of a frozen encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cladewise.suites.entries import Changes, FewShotEntry, SearchEntry
from cladewise.suites.hypernym_entries import HypernymEntry
from cladewise.suites.suite import FEW_SHOT_PREFIX, Suite

TINY_ENCODER: Mapping[str, Any] = {"name": "test_resnet", "pretrained": False, "checkpoint": "", "image_size": 32}
"""Encoder of a smoke run: three blocks of timm, with random weights, on small images."""

ONE_EPOCH: Mapping[str, Any] = {
    "epochs": 1,
    "batch_size": 8,
    "warmup_epochs": 0.0,
    "accumulate": 1,
    "chunk": 0,
    "early_stop": 0,
    "precision": "32-true",
    "accelerator": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "workers": 0,
}
"""Training of a smoke run."""

KEPT_FOR_PROBES = ("train_split", "val_split", "balance")
"""Settings of training that linear probes keep; the others belong to training from end to end."""


def smoke_of(suite: Suite) -> Suite:
    """The suite with a tiny untrained encoder, one epoch, one seed and no search: it runs everything once.

    Rows, tables, rules and the settings under test remain; ``[smoke]`` adds to what is fixed.
    """
    own = suite.smoke
    fixed = Changes(
        backbone={**TINY_ENCODER, **own.backbone},
        training={**ONE_EPOCH, **own.training},
        options={**suite.fixed.options, **own.options},
    )
    few_shot = tuple(_few_episodes(entry) for entry in suite.few_shot)
    hypernyms = tuple(_small_tree(entry, suite.data[0].name) for entry in suite.hypernyms)
    tables = tuple(dataclasses.replace(table, columns=tuple(map(_few_ways, table.columns))) for table in suite.tables)
    small = dataclasses.replace(
        suite, seeds=1, search=None, few_shot=few_shot, tables=tables, hypernyms=hypernyms, fixed=fixed
    )
    return _titled(small, "smoke run: the numbers mean nothing")


def _small_tree(entry: HypernymEntry, data: str) -> HypernymEntry:
    """A hypernym table on the made-up labels of a dataset, with two shares, and two margins to choose from."""
    margins = tuple(",".join(margin.split(",")[:2]) for margin in entry.margins)
    return dataclasses.replace(
        entry, tree=data, under="", epochs=2, dims=(2,), margins=margins, closures=entry.closures[:2]
    )


def _titled(suite: Suite, form: str) -> Suite:
    """The suite with its form in the title of the report and of every table."""
    tables = tuple(dataclasses.replace(table, title=f"{table.title} ({form})") for table in suite.tables)
    return dataclasses.replace(suite, title=f"{suite.title} ({form})", tables=tables)


def _few_episodes(entry: FewShotEntry) -> FewShotEntry:
    ways = tuple(dict.fromkeys("2" if each.isdecimal() else each for each in entry.ways))
    return dataclasses.replace(entry, ways=ways, shots=1, episodes=2, queries=1, support_views=0)


def _few_ways(name: str) -> str:
    """The column of the episodes of a smoke run: two classes, for made-up files have few."""
    ways = name.removeprefix(FEW_SHOT_PREFIX)
    return f"{FEW_SHOT_PREFIX}2" if ways != name and ways.isdecimal() else name


def features_of(suite: Suite) -> Suite:
    """The suite as linear probes: the same rows and tables on a frozen encoder, with rates that are searched.

    The encoder is the packaged one, unless ``[features]`` names another. Of the settings of training, those of
    :data:`KEPT_FOR_PROBES` remain.
    """
    own = suite.features
    probes = dataclasses.replace(
        suite,
        backbone={"freeze": True},
        training=_kept(suite.training),
        data=tuple(dataclasses.replace(e, backbone={}, training=_kept(e.training)) for e in suite.data),
        variants=tuple(
            dataclasses.replace(v, backbone={}, encoder="", training=_kept(v.training)) for v in suite.variants
        ),
        search=features_search(suite),
        fixed=Changes(backbone=own.backbone, training=own.training, options=own.options),
    )
    return _titled(probes, "linear probes")


def features_search(suite: Suite) -> SearchEntry:
    """The search of linear probes: as ``[features]`` says, else as ``[search]`` says, else of the rate alone."""
    return dataclasses.replace(suite.search or SearchEntry(options="default"), **suite.features.search)


def _kept(training: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in training.items() if key in KEPT_FOR_PROBES}
