"""The content of a suite file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

from cladewise.records import Tree
from cladewise.records.few_shot import SUPPORT_VIEWS

ALL, OWN = "all", "own"
"""In a list's place: everything there is. In a list of rules: that of the method."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataEntry:
    """A dataset and its part in the suite.

    Args:
        name: Name of a dataset, or a path.
        options: Options of its reader.
        path: Folder of the images, where the reader needs one.
        train: Split to train on.
        test: Split to report.
        search: Share of the training images that is held out for choosing settings.
        val: Share of the training images that is held out for rules to learn from, where the data has no ``val``.
    """

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    path: str = ""
    train: str = "train"
    test: str = "test"
    search: float = 0.2
    val: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchEntry:
    """How the learning rate and the options of each method are chosen, on the held-out share and with one seed.

    Args:
        metric: Metric to optimise, in its better direction.
        lr: Learning rates to begin with; where the best is at an end, the next in line is tried.
        refine: Factors of the best rate that are tried in the end.
        seed: Seed of every trial.
    """

    metric: str = "ap"
    lr: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0)
    refine: tuple[float, ...] = (0.33, 3.0)
    seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableEntry:
    """A table: a row for each of the combinations, mean and deviation over the seeds.

    Args:
        name: Name of its files.
        title: Heading.
        columns: Metrics.
        methods: Labels of methods, or ``all``.
        inferences: Specs, ``own`` for the method's; or ``all``.
        decisions: Specs, ``own`` for the method's; or ``all``.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    methods: tuple[str, ...] | Literal["all"] = ALL
    inferences: tuple[str, ...] | Literal["all"] = (OWN,)
    decisions: tuple[str, ...] | Literal["all"] = (OWN,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FewShotEntry:
    """Few-shot episodes that every run is evaluated by, with a column for each of ``ways`` in the table ``few-shot``.

    Args:
        ways: Numbers of classes, ``all`` and ``intra``.
        shots: Images of each class to learn from.
        episodes: How many; 0 for the protocol's own number.
        queries: Most images of each class to ask about.
        support_views: Augmented copies of each image to learn from; 0: the image as it is.
        space: ``own`` vectors of the head, or the ``encoder``'s.
        apart: Support and queries from different top folders.
        coarse_level: Level of the coarse classes of ``intra``; empty: that of the labels, else the parents.
    """

    ways: tuple[str, ...] = ("5", "all", "intra")
    shots: int = 1
    episodes: int = 0
    queries: int = 15
    support_views: int = SUPPORT_VIEWS
    space: str = "own"
    apart: bool = False
    coarse_level: str = ""

    def options(self) -> dict[str, Any]:
        """As :func:`cladewise.episodes.few_shot_all` takes them, but for the ways."""
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "ways"}
        return {**given, "episodes": self.episodes or None, "coarse_level": self.coarse_level or None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """A method with settings of its own: for ablations, another resolution, another encoder.

    Args:
        name: What tables call it.
        method: Spec of the method.
        ablation: Settings of ``[ablation]``.
        backbone: Settings of the encoder that differ from the suite's.
        training: Settings of training that differ from the suite's.
        tree: Whether tables have it scored in the true tree, or in the one that its network was trained on.
        settings: The method or variant whose chosen learning rate and options it takes: its plain method by default;
            its own name to be searched by itself.
        share: Share of the training images that it has, the same share of each label; drawn again for every seed.
        seeds: Runs of it at most, where it takes long; as many as the suite says by default.
    """

    name: str
    method: str
    ablation: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    backbone: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    tree: Tree = "true"
    settings: str = ""
    share: float = 1.0
    seeds: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark: data, methods, search, rules and tables.

    Args:
        name: Name of the file.
        title: Heading of the report.
        data: Datasets, each benchmarked by itself.
        methods: Labels of what is compared: specs of methods, whose given options are fixed and whose others are
            searched, and names of variants. ``all`` stands for every method there is.
        variants: Methods with settings of their own.
        inferences: Specs of the inferences that tables call ``all``.
        decisions: Specs of the decisions that tables call ``all``.
        baseline: The method that the report compares with.
        seeds: Runs of each method with the chosen settings.
        backbone: The encoder.
        training: Settings of every run.
        search: How settings are chosen.
        tables: What to write.
        few_shot: Few-shot episodes that every run is evaluated by as well.
    """

    name: str
    title: str
    data: tuple[DataEntry, ...]
    methods: tuple[str, ...]
    tables: tuple[TableEntry, ...]
    few_shot: tuple[FewShotEntry, ...] = ()
    variants: tuple[Variant, ...] = ()
    inferences: tuple[str, ...] = (OWN,)
    decisions: tuple[str, ...] = (OWN,)
    baseline: str = ""
    seeds: int = 5
    backbone: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    search: SearchEntry = dataclasses.field(default_factory=SearchEntry)

    def rules_of(self, table: TableEntry) -> list[tuple[str, str]]:
        """Pairs of inference and decision of a table, in its order."""
        before = self.inferences if table.inferences == ALL else table.inferences
        after = self.decisions if table.decisions == ALL else table.decisions
        return [(infer, decide) for infer in before for decide in after]

    def methods_of(self, table: TableEntry) -> tuple[str, ...]:
        """Labels of the methods of a table, in its order."""
        return self.methods if table.methods == ALL else tuple(table.methods)

    def variant(self, label: str) -> Variant:
        """Variant with a label; a plain method is a variant without settings of its own."""
        named = {variant.name: variant for variant in self.variants}
        return named.get(label) or Variant(name=label, method=label)

    def settings_of(self, label: str) -> str:
        """The label whose chosen learning rate and options another takes; itself where it is searched."""
        variant = self.variant(label)
        return variant.settings or variant.method

    def seeds_of(self, label: str) -> int:
        """Number of runs of a method."""
        return min(self.seeds, self.variant(label).seeds or self.seeds)

    @property
    def searched(self) -> tuple[str, ...]:
        """Labels of what is searched: every method, and variants that ask for it."""
        return tuple(dict.fromkeys(map(self.settings_of, self.methods)))

    def rules_for(self, method: str) -> dict[str, list[str]]:
        """Every decision that some table wants of a method, by the inference before it."""
        wanted: dict[str, list[str]] = {}
        for table in self.tables:
            if method in self.methods_of(table):
                for infer, decide in self.rules_of(table):
                    of_inference = wanted.setdefault(infer, [])
                    if decide not in of_inference:
                        of_inference.append(decide)
        return wanted


def folder_name(label: str) -> str:
    """A method's spec or a variant's name as a name for folders.

    Example:
        >>> folder_name("hxe:alpha=0.5"), folder_name("hace, 20% wrong parents")
        ('hxe-alpha=0.5', 'hace-20-wrong-parents')
    """
    return re.sub(r"[^\w.=-]+", "-", label)
