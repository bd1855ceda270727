"""What a suite file says."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tomllib
from collections.abc import Collection, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

from cladewise import decisions, inference, methods
from cladewise.catalogue import nearest, parse_spec
from cladewise.engine.rules import decision_of, inference_of
from cladewise.errors import InputError
from cladewise.fewshot.episodes import check_ways
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig, Tree, check_tree, settings
from cladewise.records.few_shot import SUPPORT_VIEWS
from cladewise.records.metric_names import metric_text
from cladewise.records.resources import column_text

Entry = TypeVar("Entry")

BUNDLED = Path(__file__).parent
ALL, OWN = "all", "own"
"""In a list's place: everything there is. In a list of rules: that of the method."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataEntry:
    """A data set and its part in the suite.

    Args:
        name: Name of a data set, or a path.
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
        metric: What the best has most of, or least.
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
        """As :func:`cladewise.fewshot.evaluate` takes them, but for the ways."""
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
        tree: Whether tables have it scored in the true tree, or in the one that its network knows.
        settings: The method or variant whose chosen learning rate and options it takes: its plain method by default;
            its own name to be searched by itself.
    """

    name: str
    method: str
    ablation: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    backbone: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    tree: Tree = "true"
    settings: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suite:
    """Everything that a benchmark follows from.

    Args:
        name: Name of the file.
        title: Heading of the report.
        data: Data sets, each benchmarked by itself.
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
        """What a label stands for; a plain method is a variant without settings of its own."""
        named = {variant.name: variant for variant in self.variants}
        return named.get(label) or Variant(name=label, method=label)

    def settings_of(self, label: str) -> str:
        """The label whose chosen learning rate and options another takes; itself where it is searched."""
        variant = self.variant(label)
        return variant.settings or variant.method

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


def available() -> dict[str, Path]:
    """Suites that come with the package, by name.

    Example:
        >>> [name for name in sorted(available()) if name.endswith("emoji")]
        ['cones-emoji', 'fine-from-coarse-emoji', 'levels-emoji', 'scores-and-curves-emoji', 'texts-emoji']
    """
    return {path.stem: path for path in sorted(BUNDLED.glob("*.toml"))}


def read_suite(name: str | Path) -> Suite:
    """Read a suite file, or one that comes with the package by its name.

    Raises:
        InputError: There is no such file, or something in it is not known or not allowed.
    """
    path = available().get(str(name), Path(name))
    if not path.is_file():
        known = available()
        raise InputError(
            f"a suite file, or one of {', '.join(known)}", f"{str(name)!r}", advice=nearest(str(name), known)
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("a TOML file", f"{error}", at=str(path)) from error
    return _suite(content, path)


def _suite(content: dict[str, Any], path: Path) -> Suite:
    at = path.name
    own = {f.name for f in dataclasses.fields(Suite)} - {"name", "tables", "variants"}
    _known(content, own | {"table", "variant"}, at)
    data = content.pop("data", None)
    entries = [data] if isinstance(data, dict) else data or []
    tables: Any = content.pop("table", [])
    variants = tuple(_entry(Variant, entry, f"{at} [[variant]]") for entry in content.pop("variant", []))
    names: Any = content.pop("methods", ALL)
    suite = _entry(
        Suite,
        {
            "title": path.stem,
            **content,
            "name": path.stem,
            "data": tuple(_entry(DataEntry, entry, f"{at} [data]") for entry in entries),
            "few_shot": tuple(
                _entry(FewShotEntry, entry, f"{at} [[few_shot]]") for entry in content.get("few_shot", [])
            ),
            "tables": tuple(_entry(TableEntry, entry, f"{at} [[table]]") for entry in tables),
            "methods": tuple(
                dict.fromkeys([*_method_specs(names, f"{at} methods"), *(variant.name for variant in variants)])
            ),
            "variants": variants,
            "search": _entry(SearchEntry, content.get("search", {}), f"{at} [search]"),
        },
        at,
    )
    _check(suite, at)
    return suite


def _check(suite: Suite, at: str) -> None:
    """Whatever can be wrong is found before the first run.

    Raises:
        InputError: Something is.
    """
    for what in ("data", "tables"):
        if not getattr(suite, what):
            raise InputError(f"at least one [[{what.removesuffix('s')}]]", "none", at=at)
    if suite.seeds < 1:
        raise InputError("at least one seed", suite.seeds, at=at)
    settings(BackboneConfig, suite.backbone, at=f"{at} [backbone]")
    _check_training(suite.training, f"{at} [training]")
    for variant in suite.variants:
        _check_variant(suite, variant, f"{at} variant {variant.name}")
    for entry in suite.data:
        if not (0 < entry.search < 1 and 0 <= entry.val < 1):
            expected = "shares of the training images, search in (0, 1) and val in [0, 1)"
            raise InputError(expected, f"search = {entry.search} and val = {entry.val}", at=f"{at} [data]")
    with within(f"{at} [search]"):
        if metric_text(suite.search.metric).higher_is_better is None:
            raise InputError("a metric that can be better or worse", repr(suite.search.metric))
        if not suite.search.lr or min(suite.search.lr) <= 0:
            raise InputError("learning rates above 0 in lr", list(suite.search.lr))
    with within(f"{at} methods"):
        names = {parse_spec(methods.available(), "method", suite.variant(label).method)[0] for label in suite.methods}
    for number, label in enumerate(suite.methods):
        if folder_name(label) in map(folder_name, suite.methods[:number]):
            raise InputError("names that make different folders", f"{folder_name(label)!r} twice", at=f"{at} methods")
    if suite.baseline and suite.baseline not in suite.methods and suite.baseline.partition(" ")[0] not in names:
        raise InputError(f"a baseline among {', '.join(sorted(names))}", repr(suite.baseline), at=at)
    _check_rules(suite.inferences, suite.decisions, at)
    for entry in suite.few_shot:
        with within(f"{at} [[few_shot]]"):
            for ways in entry.ways:
                check_ways(ways)
            if entry.space not in ("own", "encoder"):
                raise InputError("a space: own or encoder", repr(entry.space))
    for number, table in enumerate(suite.tables):
        if table.name in {other.name for other in suite.tables[:number]}:
            raise InputError("a name of its own for every [[table]]", f"{table.name!r} twice", at=at)
        with within(f"{at} table {table.name}"):
            for name in table.columns:
                column_text(name)
        for method in suite.methods_of(table):
            if method not in suite.methods:
                raise InputError(
                    f"one of the suite's methods: {', '.join(suite.methods)}",
                    repr(method),
                    at=f"{at} table {table.name}",
                    advice=nearest(method, suite.methods),
                )
        for infer, decide in suite.rules_of(table):
            _check_rules([infer], [decide], f"{at} table {table.name}")


def _check_training(values: Mapping[str, Any], at: str) -> None:
    settings(TrainingConfig, values, at=at)
    if "lr" in values:
        raise InputError("no lr, which is searched", values["lr"], at=at, advice="Give rates to try: [search] lr.")


def _check_variant(suite: Suite, variant: Variant, at: str) -> None:
    if variant.name in (ALL, OWN) or variant.name.partition(":")[0] in methods.available():
        raise InputError("a name that is no method's", repr(variant.name), at=at)
    if suite.variant(variant.name) is not variant:
        raise InputError("a name of its own for every [[variant]]", f"{variant.name!r} twice", at=at)
    _check_training(variant.training, f"{at} training")
    settings(BackboneConfig, {**suite.backbone, **variant.backbone}, at=f"{at} backbone")
    settings(AblationConfig, variant.ablation, at=f"{at} ablation")
    with within(at):
        check_tree(variant.tree)
        taken = suite.settings_of(variant.name)
        if suite.settings_of(taken) != taken:
            raise InputError("settings of a method, or of a variant that is searched itself", repr(taken))
        own, other = (
            parse_spec(methods.available(), "method", suite.variant(label).method)[0] for label in (variant.name, taken)
        )
        if own != other:
            raise InputError(f"settings of {own}, with the options that it has", repr(taken))


def _check_rules(before: Iterable[str], after: Iterable[str], at: str) -> None:
    with within(at):
        for spec in before:
            inference_of(None if spec == OWN else spec, inference.BottomUp())
        for spec in after:
            decision_of(None if spec == OWN else spec, decisions.Leaf())


def _entry(kind: type[Entry], values: Any, at: str) -> Entry:
    """A table of the file as its dataclass, lists as tuples."""
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    _known(values, fields, at)
    for name, field in fields.items():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if no_default and name not in values:
            raise InputError(f"{name} in {at}", "none")
    hints = get_type_hints(kind)
    for key, value in values.items():
        if get_origin(hints[key]) is Mapping and not isinstance(value, dict):
            raise InputError(f"{key} to be a table", repr(value), at=at)
        wanted = {int: "a whole number", float: "a number", str: "a text"}.get(hints[key])
        fits = isinstance(value, hints[key] if hints[key] is not float else int | float) if wanted else True
        if wanted and (not fits or isinstance(value, bool)):
            raise InputError(f"{key} to be {wanted}", repr(value), at=at)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _known(keys: Iterable[str], known: Collection[str], at: str) -> None:
    for key in keys:
        if key not in known:
            raise InputError(f"one of {', '.join(sorted(known))}", repr(key), at=at, advice=nearest(key, known))


@contextlib.contextmanager
def within(at: str) -> Generator[None, None, None]:
    """Whatever is wrong is wrong in this part of the file."""
    try:
        yield
    except InputError as error:
        where = f"{at}, {error.at}" if error.at else at
        raise InputError(error.expected, error.got, at=where, advice=error.advice) from None


def _method_specs(values: Any, at: str) -> tuple[str, ...]:
    """Methods by their specs; ``all`` alone or in a list stands for every method there is."""
    listed = _texts([values] if isinstance(values, str) else values, at)
    return tuple(dict.fromkeys(spec for text in listed for spec in (methods.available() if text == ALL else [text])))


def _texts(values: Any, at: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError("a list of texts", repr(values), at=at)
    return tuple(values)


def folder_name(label: str) -> str:
    """A method's spec or a variant's name as a name for folders.

    Example:
        >>> folder_name("hxe:alpha=0.5"), folder_name("hace, 20% wrong parents")
        ('hxe-alpha=0.5', 'hace-20-wrong-parents')
    """
    return re.sub(r"[^\w.=-]+", "-", label)
