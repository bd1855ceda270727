"""The entries of a suite file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from cladewise.records import Tree
from cladewise.records.few_shot import SUPPORT_VIEWS

ALL, OWN = "all", "own"
"""In a list's place: everything there is. In a list of rules: that of the method."""

Chosen: TypeAlias = tuple[str, ...] | Literal["all"]
"""Names out of a list of the suite, or ``all`` of them."""


def _none() -> dict[str, Any]:
    return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataEntry:
    """A dataset and its part in the suite.

    Args:
        name: Name of a dataset, or a path; any name of its own, if ``source`` says which dataset it is, or ``path``
            where.
        source: Name of the dataset, for several entries of one dataset.
        options: Options of its reader.
        path: Folder of the images, where the reader needs one; of data that is no dataset with a name, its place.
        train: Split to train on.
        test: Split to report.
        search: Share of the training images that is held out for choosing settings.
        val: Share of the training images that is held out for rules to learn from, where the data has no ``val``.
        imbalance: Factor by which the numbers of training images of the labels fall; see
            :func:`cladewise.datasets.with_long_tail`. Which images are left out is drawn again for every seed; those of
            the search are taken before.
        backbone: Settings of the encoder that differ from the suite's.
        training: Settings of training that differ from the suite's.
    """

    name: str
    source: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    path: str = ""
    train: str = "train"
    test: str = "test"
    search: float = 0.2
    val: float = 0.0
    imbalance: float = 1.0
    backbone: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    training: Mapping[str, Any] = dataclasses.field(default_factory=_none)

    @property
    def dataset(self) -> str:
        """Name of the dataset, or its path."""
        return self.source or self.name


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchEntry:
    """How the learning rate and the options of each method are chosen, on the held-out share and with one seed.

    Args:
        metric: Metric to optimise, in its better direction.
        lr: Learning rates to begin with; where the best is at an end, the next in line is tried.
        refine: Factors of the best rate that are tried in the end.
        options: ``grid``: the options of each method are searched over the values of its paper. ``default``: they stay
            as they are, and the rate alone is searched.
        grid: Values of options to try, by option, in place of those of the papers; with ``options = "grid"``. Then all
            other options stay as they are. A method without an option, or whose spec fixes it, skips it.
        seed: Seed of every trial.
        condition: Condition that the trials are trained under, for a suite with conditions; none by default.
    """

    metric: str = "ap"
    lr: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0)
    refine: tuple[float, ...] = (0.33, 3.0)
    options: str = "grid"
    grid: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    seed: int = 0
    condition: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """The published figures of one row of a table.

    Args:
        row: Label of the row's method or variant.
        values: One value per column, in the unit of the table: percent for shares; NaN where the source has none.
        inference: Spec of the row's inference as in the table; needed where the table has several.
        decision: Spec of the row's decision as in the table; needed where the table has several.
        data: Dataset of the figures; needed where the table is made for several.
    """

    row: str
    values: tuple[float, ...]
    inference: str = ""
    decision: str = ""
    data: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableEntry:
    """A table: a row for each of the combinations, mean and deviation over the seeds.

    Args:
        name: Name of its files.
        title: Heading.
        columns: Metrics, what training took, and accuracies of few-shot episodes as ``few_shot/<ways>``.
        headings: Heads of the columns; by default the titles of the metrics.
        methods: Labels of methods, or ``all``.
        inferences: Specs, ``own`` for the method's; or ``all``.
        decisions: Specs, ``own`` for the method's; or ``all``.
        data: Names of the datasets that it is made for, or ``all``.
        source: Table of a paper that it repeats.
        published: The figures of that table.
        rows: ``all`` combinations of methods and rules, or the ``published`` ones alone.
        across: Whether a row is a method under all conditions, with a column for each, instead of a row for each.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    headings: tuple[str, ...] = ()
    methods: Chosen = ALL
    inferences: Chosen = (OWN,)
    decisions: Chosen = (OWN,)
    data: Chosen = ALL
    source: str = ""
    published: tuple[Published, ...] = ()
    rows: str = ALL
    across: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class FigureEntry:
    """A figure, drawn from runs and their evaluations.

    Args:
        name: Name of its files.
        title: Heading.
        kind: ``curve``: metrics by the value of an option. ``conditions``: metrics of each method under each condition,
            coloured by the difference from the baseline. ``operating``: correctness and precision against recall.
            ``t-sne``: the feature spaces of the methods' first runs, side by side.
        x: The option: of the methods, of the inferences, or a setting that differs between variants.
        scale: Scale of that axis, ``linear`` or ``log``.
        columns: Metrics, one panel each.
        headings: Titles of the panels; by default the titles of the metrics.
        methods: Labels of methods, or ``all``.
        inferences: Specs, ``own`` for the method's; or ``all``.
        decisions: Specs, ``own`` for the method's; or ``all``.
        data: Names of the datasets that it is drawn for, or ``all``.
        source: Figure of a paper that it repeats.
        pairs: Of ``operating``: pairs of a method and an inference that are drawn; empty for all combinations.
        levels: Of ``t-sne``: one to three levels to colour by; the coarsest and the finest by default.
        classes: Of ``t-sne``: classes whose images are drawn; empty for all.
        most: Of ``t-sne``: numbers of classes with the most images that are drawn, per level; empty for all.
        images: Of ``t-sne``: maximum number of images.
        texts: Of ``t-sne``: whether texts of the classes are drawn too.
    """

    name: str
    title: str
    kind: str
    x: str = ""
    scale: str = "linear"
    columns: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    methods: Chosen = ALL
    inferences: Chosen = (OWN,)
    decisions: Chosen = (OWN,)
    data: Chosen = ALL
    source: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    levels: str = ""
    classes: tuple[str, ...] = ()
    most: tuple[int, ...] = ()
    images: int = 2000
    texts: bool = False


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
        data: Names of the datasets that have these episodes, or ``all``.
        table: Whether they are in the table ``few-shot``; otherwise they are there for columns of other tables alone.
    """

    ways: tuple[str, ...] = ("5", "all", "intra")
    shots: int = 1
    episodes: int = 0
    queries: int = 15
    support_views: int = SUPPORT_VIEWS
    space: str = "own"
    apart: bool = False
    coarse_level: str = ""
    data: Chosen = ALL
    table: bool = True

    def options(self) -> dict[str, Any]:
        """As :func:`cladewise.episodes.few_shot_all` takes them, but for the ways."""
        own = ("ways", "data", "table")
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in own}
        return {**given, "episodes": self.episodes or None, "coarse_level": self.coarse_level or None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """A method with settings of its own: for ablations, another resolution, another encoder.

    Args:
        name: What tables call it.
        method: Spec of the method.
        ablation: Settings of ``[ablation]``.
        backbone: Settings of the encoder that differ from those of the suite and the dataset.
        training: Settings of training that differ from those of the suite and the dataset.
        tree: Whether tables have it scored in the true tree, or in the one that its network was trained on.
        settings: The method or variant whose chosen learning rate and options it takes: its plain method by default;
            its own name to be searched by itself.
        share: Share of the training images that it has, the same share of each label; drawn again for every seed.
        seeds: Runs of it at most, where it takes long; as many as the suite says by default.
        data: Names of the datasets that it is a row of, or ``all``.
        encoder: Label of a row whose trained encoder it takes, frozen, from the run with the same seed.
        condition: Name of the condition that it is under; set by :meth:`Condition.of`.
    """

    name: str
    method: str
    ablation: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    backbone: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    training: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    tree: Tree = "true"
    settings: str = ""
    share: float = 1.0
    seeds: int = 0
    data: Chosen = ALL
    encoder: str = ""
    condition: str = ""

    @property
    def plain(self) -> str:
        """Its name without its condition."""
        return self.name.removeprefix(f"{self.condition}, ") if self.condition else self.name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """Circumstances that every method and variant of a suite is trained under, such as missing labels.

    Args:
        name: What tables call it.
        ablation: Settings of ``[ablation]``.
        data: Names of the datasets that have it, or ``all``.
    """

    name: str
    ablation: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    data: Chosen = ALL

    def of(self, row: Variant, settings: str) -> Variant | None:
        """A row of the suite under the condition; ``None`` if they have no dataset in common.

        Args:
            row: A method or variant.
            settings: The row whose chosen learning rate and options it takes.

        Example:
            >>> half = Condition(name="50% missing", ablation={"label_levels": "1=0.5,2=0.5"}, data=("cars",))
            >>> found = half.of(Variant(name="hace", method="hace"), "hace")
            >>> found.name, found.plain, found.data
            ('50% missing, hace', 'hace', ('cars',))
        """
        data = self.data if row.data == ALL else row.data if self.data == ALL else ()
        if row.data != ALL and self.data != ALL:
            data = tuple(name for name in row.data if name in self.data)
        if not data:
            return None
        name, ablation = f"{self.name}, {row.name}", {**row.ablation, **self.ablation}
        encoder = row.encoder and f"{self.name}, {row.encoder}"
        changes: dict[str, Any] = {"settings": settings, "data": data, "encoder": encoder, "condition": self.name}
        return dataclasses.replace(row, name=name, ablation=ablation, **changes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Changes:
    """Changes of a lighter form of a suite: ``[smoke]`` or ``[features]``.

    Args:
        backbone: Settings of the encoder, which hold for every row.
        training: Settings of training, which hold for every row.
        options: Options by the name of a method, which replace those of its specs.
        search: Entries of ``[search]``, in ``[features]`` alone.
    """

    backbone: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    training: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    options: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    search: Mapping[str, Any] = dataclasses.field(default_factory=_none)
