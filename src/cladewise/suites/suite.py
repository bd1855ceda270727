"""A suite: its entries, parts of it, and the settings that each of its rows comes to."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from cladewise import methods
from cladewise.catalogue import nearest, parse_spec
from cladewise.errors import InputError
from cladewise.records import NO_SPLIT, AblationConfig, BackboneConfig, TrainingConfig, settings
from cladewise.records.evaluation import NO_INFERENCE
from cladewise.statistics import FrequencyBounds
from cladewise.suites.entries import (
    ALL,
    OWN,
    Changes,
    Chosen,
    DataEntry,
    FewShotEntry,
    FigureEntry,
    Published,
    SearchEntry,
    TableEntry,
    Variant,
)
from cladewise.suites.hypernym_entries import HypernymEntry

MANIFOLDS = "t-sne"
"""Kind of the figures that are drawn from runs alone, without evaluations."""
FEW_SHOT_TABLE = "few-shot"
"""Name of the table that ``[[few_shot]]`` asks for."""

OfData = TypeVar("OfData", Variant, TableEntry, FigureEntry, FewShotEntry)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The learning rate of a method and options besides those of its spec, as stated or as a search chose them."""

    lr: float
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Fit for a folder."""
        return "-".join([f"lr={self.lr:g}", *(f"{key}={value}" for key, value in self.options)])


class Resolved(NamedTuple):
    """The settings of one row on one dataset, with all defaults filled in."""

    method: str
    options: dict[str, Any]
    backbone: BackboneConfig
    training: TrainingConfig
    ablation: AblationConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark: data, methods, search, rules, tables and figures.

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
        few_below: Number of training images below which a label counts for ``few_recall``.
        many_above: Number of training images above which a label counts for ``many_recall``.
        backbone: The encoder.
        training: Settings of every run.
        search: How settings are chosen; ``None``: they are those stated, or the defaults.
        tables: What to write.
        figures: What to draw.
        few_shot: Few-shot episodes that every run is evaluated by as well.
        hypernyms: Tables of label trees that are embedded without images.
        smoke: What a smoke run changes besides what it changes in every suite.
        features: What linear probes change besides what they change in every suite.
        fixed: Settings of a lighter form of the suite, which hold for every row whatever else is stated.
    """

    name: str
    title: str
    data: tuple[DataEntry, ...]
    methods: tuple[str, ...]
    tables: tuple[TableEntry, ...] = ()
    figures: tuple[FigureEntry, ...] = ()
    few_shot: tuple[FewShotEntry, ...] = ()
    hypernyms: tuple[HypernymEntry, ...] = ()
    variants: tuple[Variant, ...] = ()
    inferences: tuple[str, ...] = (OWN,)
    decisions: tuple[str, ...] = (OWN,)
    baseline: str = ""
    seeds: int = 5
    few_below: int = 20
    many_above: int = 100
    backbone: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    search: SearchEntry | None = None
    smoke: Changes = dataclasses.field(default_factory=Changes)
    features: Changes = dataclasses.field(default_factory=Changes)
    fixed: Changes = dataclasses.field(default_factory=Changes)

    @property
    def bounds(self) -> FrequencyBounds:
        """Bounds of labels with few and many training images."""
        return FrequencyBounds(self.few_below, self.many_above)

    def rules_of(self, table: TableEntry | FigureEntry) -> list[tuple[str, str]]:
        """Pairs of inference and decision of a table or figure, in its order."""
        before = self.inferences if table.inferences == ALL else table.inferences
        after = self.decisions if table.decisions == ALL else table.decisions
        return [(infer, decide) for infer in before for decide in after]

    def rules_after(self, method: str, table: TableEntry | FigureEntry) -> list[tuple[str, str]]:
        """Pairs of inference and decision that a table or figure has of one of its methods, in its order."""
        pairs = self.rules_of(table)
        if isinstance(table, FigureEntry):
            return [] if table.kind == MANIFOLDS else _of_pairs(table, method, pairs)
        if table.rows == ALL:
            return pairs
        stated = [row for row in table.published if row.row == method]
        return [
            (infer, decide)
            for infer, decide in pairs
            if any(row.inference in ("", infer) and row.decision in ("", decide) for row in stated)
        ]

    def methods_of(self, table: TableEntry | FigureEntry) -> tuple[str, ...]:
        """Labels of the methods of a table or figure, in its order."""
        return self.methods if table.methods == ALL else tuple(table.methods)

    def published_of(self, table: TableEntry) -> list[Published]:
        """The published figures of a table, on the dataset of a suite that has one."""
        return [row for row in table.published if row.data in ("", *(entry.name for entry in self.data))]

    def variant(self, label: str) -> Variant:
        """Variant with a label; a plain method is a variant without settings of its own.

        A label may stand for several variants, each on other datasets: ask the suite :meth:`on` one of them.
        """
        named = {variant.name: variant for variant in self.variants}
        return named.get(label) or Variant(name=label, method=label)

    def settings_of(self, label: str) -> str:
        """The label whose chosen learning rate and options another takes; itself where it is searched."""
        variant = self.variant(label)
        return variant.settings or variant.method

    def seeds_of(self, label: str) -> int:
        """Number of runs of a method."""
        return min(self.seeds, self.variant(label).seeds or self.seeds)

    def baselines_of(self, label: str) -> tuple[str, str]:
        """The names by which a suite may call a row its baseline: its label without a condition, and its method."""
        variant = self.variant(label)
        return variant.plain, variant.method.partition(":")[0]

    @property
    def searched(self) -> tuple[str, ...]:
        """Labels of what is searched: every method, and variants that ask for it."""
        return tuple(dict.fromkeys(map(self.settings_of, self.methods)))

    def rules_for(self, method: str) -> dict[str, list[str]]:
        """Every decision that some table or figure wants of a method, by the inference before it.

        Those of the method itself are among them where the report would otherwise not know which evaluation to show.
        """
        wanted: dict[str, list[str]] = {}
        for entry in (*self.tables, *self.figures):
            if method in self.methods_of(entry):
                for infer, decide in self.rules_after(method, entry):
                    of_inference = wanted.setdefault(infer, [])
                    if decide not in of_inference:
                        of_inference.append(decide)
        preferred = wanted.get(OWN) or wanted.get(NO_INFERENCE) or []
        is_clear = len(preferred) == 1 or bool({OWN, "leaf"} & {*preferred})  # as the report prefers them
        if sum(map(len, wanted.values())) != 1 and not is_clear:
            wanted.setdefault(OWN, []).append(OWN)
        return wanted

    def on(self, data: str) -> Suite:
        """The part of the suite on one of its datasets.

        Raises:
            InputError: It has no such dataset.
        """
        entries = {entry.name: entry for entry in self.data}
        if data not in entries:
            raise InputError(f"a dataset of the suite: {', '.join(entries)}", repr(data), advice=nearest(data, entries))
        variants = _of_data(self.variants, data)
        names = {variant.name for variant in variants}
        elsewhere = {variant.name for variant in self.variants} - names
        here = tuple(label for label in self.methods if label not in elsewhere)
        return dataclasses.replace(
            self,
            data=(entries[data],),
            variants=variants,
            methods=here,
            tables=_with_rows(_of_data(self.tables, data), here),
            figures=_with_rows(_of_data(self.figures, data), here),
            few_shot=_of_data(self.few_shot, data),
        )._with_needed_rows()

    def only(self, names: Collection[str]) -> Suite:
        """The part of the suite that some of its tables and figures need.

        Raises:
            InputError: It has no table or figure of a name.
        """
        for name in names:
            if name not in self.drawn:
                expected = f"a table or figure of {self.name}: {', '.join(self.drawn)}"
                raise InputError(expected, repr(name), advice=nearest(name, self.drawn))
        tables = tuple(table for table in self.tables if table.name in names)
        figures = tuple(figure for figure in self.figures if figure.name in names)
        few_shot = tuple(
            dataclasses.replace(entry, table=entry.table and FEW_SHOT_TABLE in names)
            for entry in self.few_shot
            if FEW_SHOT_TABLE in names or any(few_shot_ways(table.columns) for table in tables)
        )
        hypernyms = tuple(entry for entry in self.hypernyms if entry.name in names)
        used: set[Chosen] = {entry.data for entry in (*tables, *figures, *(entry for entry in few_shot if entry.table))}
        trees = {entry.tree for entry in hypernyms}
        return dataclasses.replace(
            self,
            tables=tables,
            figures=figures,
            few_shot=few_shot,
            hypernyms=hypernyms,
            data=tuple(
                entry
                for entry in self.data
                if entry.name in trees or any(on_data(chosen, entry.name) for chosen in used)
            ),
        )._with_needed_rows()

    @property
    def drawn(self) -> tuple[str, ...]:
        """Names of all tables and figures."""
        names = [entry.name for entry in (*self.tables, *self.figures, *self.hypernyms)]
        few_shot = [FEW_SHOT_TABLE] if any(entry.table for entry in self.few_shot) else []
        return tuple(dict.fromkeys([*names, *few_shot]))

    def _with_needed_rows(self) -> Suite:
        """The suite with the rows that some table or figure shows, without a baseline if that is none of them."""
        kept = self.methods
        if not any(entry.table for entry in self.few_shot):
            needed = {label for entry in (*self.tables, *self.figures) for label in self.methods_of(entry)}
            needed |= {self.variant(label).encoder for label in needed}
            kept = tuple(label for label in self.methods if label in needed)
        named = {name for label in kept for name in self.baselines_of(label)}
        return dataclasses.replace(self, methods=kept, baseline=self.baseline if self.baseline in named else "")

    def resolved(self, data: str, label: str, chosen: Settings | None = None) -> Resolved:
        """The settings that a row's runs on a dataset have.

        Of two statements the nearer one holds: suite, dataset, variant.

        Args:
            data: Name of the dataset.
            label: Label of the method or variant.
            chosen: Rate and options that a search found.

        Returns:
            Name and options of the method, and its settings, with all defaults filled in.

        Raises:
            InputError: There is no such dataset or row, or a setting is not allowed.

        Example:
            >>> from cladewise.suites import read_suite
            >>> suite = read_suite("levels-grocery")
            >>> row = suite.resolved("grocery-store", "lht, confusion 5")
            >>> row.method, row.options["confusion"], row.backbone.freeze, row.training.epochs
            ('lht', 5.0, True, 40)
        """
        here = self.on(data)
        if label not in {*here.methods, *here.searched}:
            expected = f"a row of {self.name} on {data}: {', '.join(here.methods)}"
            raise InputError(expected, repr(label), advice=nearest(label, here.methods))
        (entry,), variant = here.data, here.variant(label)
        name, stated = parse_spec(methods.available(), "method", variant.method)
        made = methods.make(
            name, **{**dict(chosen.options if chosen else ()), **stated, **self.fixed.options.get(name, {})}
        )
        backbone = {"freeze": True, **self.backbone, **entry.backbone, **variant.backbone, **self.fixed.backbone}
        start = {"train_split": entry.train, "val_split": NO_SPLIT}
        training = {**made.training(), **start, **self.training, **entry.training, **variant.training}
        training |= {**self.fixed.training, **({"lr": chosen.lr} if chosen else {})}
        return Resolved(
            name,
            made.options(),
            settings(BackboneConfig, backbone),
            settings(TrainingConfig, training),
            settings(AblationConfig, variant.ablation),
        )


def _of_pairs(figure: FigureEntry, method: str, rules: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [rule for rule in rules if not figure.pairs or (method, rule[0]) in figure.pairs]


def few_shot_ways(columns: Iterable[str]) -> list[str]:
    """The ways of the few-shot episodes among columns of a table.

    Example:
        >>> few_shot_ways(["top1", "few_shot/5", "few_shot/intra"])
        ['5', 'intra']
    """
    return [name.removeprefix(FEW_SHOT_PREFIX) for name in columns if name.startswith(FEW_SHOT_PREFIX)]


FEW_SHOT_PREFIX = "few_shot/"


def on_data(chosen: Chosen, data: str) -> bool:
    """Whether an entry is about a dataset."""
    return chosen == ALL or data in chosen


def _of_data(entries: Iterable[OfData], data: str) -> tuple[OfData, ...]:
    return tuple(entry for entry in entries if on_data(entry.data, data))


Drawn = TypeVar("Drawn", TableEntry, FigureEntry)


def _with_rows(entries: Iterable[Drawn], labels: Collection[str]) -> tuple[Drawn, ...]:
    """The entries with the rows that there are here, without entries that are left with none."""
    found: list[Drawn] = []
    for entry in entries:
        if entry.methods != ALL:
            kept = tuple(label for label in entry.methods if label in labels)
            if not kept:
                continue
            entry = dataclasses.replace(entry, methods=kept)
        found.append(entry)
    return tuple(found)
