"""Checks a whole suite before its first run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cladewise import decisions, inference, methods
from cladewise.catalogue import nearest, parse_spec
from cladewise.engine.rules import decision_of, inference_of
from cladewise.episodes.episode import check_ways
from cladewise.errors import InputError
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig, check_tree, settings
from cladewise.records.metric_names import metric_text
from cladewise.statistics import FrequencyBounds
from cladewise.suites.checking_tables import check_table
from cladewise.suites.entries import ALL, OWN, FewShotEntry, FigureEntry, SearchEntry, TableEntry, Variant
from cladewise.suites.figures import check_figure
from cladewise.suites.folders import data_folder, folder_name
from cladewise.suites.hypernym_entries import check_hypernyms
from cladewise.suites.lighter import features_search
from cladewise.suites.places import within
from cladewise.suites.search import option_grids
from cladewise.suites.suite import Suite, on_data


def check(suite: Suite, at: str) -> None:
    """Refuse a suite that could not be carried out.

    Raises:
        InputError: Something is.
    """
    if not suite.data:
        raise InputError("at least one [[data]]", "none", at=at)
    if not suite.drawn:
        raise InputError("at least one [[table]]", "none", at=at)
    if suite.seeds < 1:
        raise InputError("at least one seed", suite.seeds, at=at)
    with within(at):
        FrequencyBounds(suite.few_below, suite.many_above)
    _check_training(suite, suite.training, f"{at} [training]")
    settings(BackboneConfig, suite.backbone, at=f"{at} [backbone]")
    _check_data(suite, at)
    if suite.search is not None:
        with within(f"{at} [search]"):
            _check_search(suite.search)
    _check_changes(suite, at)
    _check_unique(map(folder_name, suite.methods), "names that make different folders", f"{at} methods")
    for variant in suite.variants:
        _check_data_names(suite, variant.data, f"{at} variant {variant.name}")
    for here in map(suite.on, (entry.name for entry in suite.data)):
        _check_unique((variant.name for variant in here.variants), "a unique name for every [[variant]]", at)
        for variant in here.variants:
            _check_variant(here, variant, f"{at} variant {variant.name}")
    with within(f"{at} methods"):
        named = {variant.name for variant in suite.variants}
        specs = [*(label for label in suite.methods if label not in named), *(v.method for v in suite.variants)]
        for spec in specs:
            parse_spec(methods.available(), "method", spec)
    if suite.search is not None:
        with within(f"{at} [search]"):
            _check_grid(suite, suite.search)
    with within(f"{at} [features] search"):
        _check_grid(suite, features_search(suite))
    baselines = {name for label in suite.methods for name in suite.baselines_of(label)}
    if suite.baseline and suite.baseline not in baselines:
        expected = f"a baseline among {', '.join(sorted(baselines))}"
        raise InputError(expected, repr(suite.baseline), at=at, advice=nearest(suite.baseline, baselines))
    _check_rules(suite.inferences, suite.decisions, at)
    for entry in suite.few_shot:
        with within(f"{at} [[few_shot]]"):
            _check_few_shot(entry)
        _check_data_names(suite, entry.data, f"{at} [[few_shot]]")
    for entry in suite.hypernyms:
        with within(f"{at} hypernyms {entry.name}"):
            check_hypernyms(entry)
    for entry in (*suite.tables, *suite.figures):
        _check_parts(suite, entry, at)
    for here in map(suite.on, (entry.name for entry in suite.data)):
        _check_drawn(here, at)


def _check_drawn(suite: Suite, at: str) -> None:
    """The tables and figures of a suite on one dataset."""
    names = [entry.name for entry in (*suite.tables, *suite.figures, *suite.hypernyms)]
    _check_unique([*names, *suite.drawn[len(names) :]], "a unique name for every table and figure", at)
    for table in suite.tables:
        with within(f"{at} table {table.name}"):
            check_table(suite, table)
    for figure in suite.figures:
        with within(f"{at} figure {figure.name}"):
            check_figure(suite, figure)


def _check_parts(suite: Suite, entry: TableEntry | FigureEntry, at: str) -> None:
    """The methods, rules and data that a table or figure names."""
    what = "table" if isinstance(entry, TableEntry) else "figure"
    if not entry.name or folder_name(entry.name) != entry.name.replace(" ", "-"):
        expected = "a name that files can have: letters, digits and . _ = -"
        raise InputError(expected, repr(entry.name), at=f"{at} [[{what}]]")
    at = f"{at} {what} {entry.name}"
    _check_data_names(suite, entry.data, at)
    for method in suite.methods_of(entry):
        if method not in suite.methods:
            expected = f"one of the suite's methods: {', '.join(suite.methods)}"
            raise InputError(expected, repr(method), at=at, advice=nearest(method, suite.methods))
    for listed, one in ((suite.methods_of(entry), "method"), (suite.rules_of(entry), "inference and decision")):
        if not listed:
            raise InputError(f"at least one {one}", "none", at=at)
    for infer, decide in suite.rules_of(entry):
        _check_rules([infer], [decide], at)
    if isinstance(entry, TableEntry):
        here = [data.name for data in suite.data if on_data(entry.data, data.name)]
        for published in entry.published:
            if published.data not in here and (published.data or len(here) > 1):
                expected, got = f"data of the table: {', '.join(here)}", repr(published.data or "none")
                raise InputError(expected, got, at=f"{at} published {published.row}", advice=nearest(got, here))


def _check_data(suite: Suite, at: str) -> None:
    _check_unique((entry.name for entry in suite.data), "a unique name for every [[data]]", at)
    _check_unique((data_folder(entry.name) for entry in suite.data), "data with different folders of results", at)
    for entry in suite.data:
        if not (0 < entry.search < 1 and 0 <= entry.val < 1):
            expected = "shares of the training images, search in (0, 1) and val in [0, 1)"
            raise InputError(expected, f"search = {entry.search} and val = {entry.val}", at=f"{at} [data]")
        if not 1 <= entry.imbalance < math.inf:
            raise InputError("a finite imbalance of at least 1", entry.imbalance, at=f"{at} [data] {entry.name}")
        where = f"{at} [data] {entry.name}"
        settings(BackboneConfig, {**suite.backbone, **entry.backbone}, at=f"{where} backbone")
        _check_training(suite, entry.training, f"{where} training")


def _check_search(entry: SearchEntry) -> None:
    if metric_text(entry.metric).higher_is_better is None:
        raise InputError("a metric of which higher or lower is better", repr(entry.metric))
    if not entry.lr or min(entry.lr) <= 0:
        raise InputError("learning rates above 0 in lr", list(entry.lr))
    if entry.options not in ("grid", "default"):
        raise InputError("options to be grid or default", repr(entry.options))
    if entry.grid and entry.options != "grid":
        raise InputError(
            "no grid where the rate alone is searched", ", ".join(entry.grid), advice='Set options = "grid".'
        )
    for option, values in entry.grid.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"a list of values of {option} in grid", repr(values))


def _check_grid(suite: Suite, entry: SearchEntry) -> None:
    """Check that every option of the grid is one of a method of the suite, and that the method takes its values."""
    unused = set(entry.grid)
    for label in dict.fromkeys(label for data in suite.data for label in suite.on(data.name).searched):
        for option, values in option_grids(suite.variant(label).method, entry.grid):
            unused.discard(option)
            name, given = parse_spec(methods.available(), "method", suite.variant(label).method)
            for value in values:
                methods.make(name, **{**given, option: value})
    if unused:
        raise InputError("grid to have options of methods that are searched", ", ".join(sorted(unused)))


def _check_changes(suite: Suite, at: str) -> None:
    for name, changes in (("smoke", suite.smoke), ("features", suite.features)):
        where = f"{at} [{name}]"
        settings(BackboneConfig, changes.backbone, at=f"{where} backbone")
        settings(TrainingConfig, changes.training, at=f"{where} training")
        for method, options in changes.options.items():
            with within(f"{where} options"):
                methods.make(method, **options)
        if changes.search and name == "smoke":
            raise InputError("no search, since a smoke run has none", "search", at=where)
    with within(f"{at} [features] search"):
        probes = features_search(suite)
        _check_search(probes)
        if probes.condition != (suite.search.condition if suite.search else ""):
            raise InputError("a condition in [search] alone", repr(probes.condition))


def _check_few_shot(entry: FewShotEntry) -> None:
    for ways in entry.ways:
        check_ways(ways)
    if entry.space not in ("own", "encoder"):
        raise InputError("a space: own or encoder", repr(entry.space))


def _check_training(suite: Suite, values: Mapping[str, Any], at: str) -> None:
    settings(TrainingConfig, values, at=at)
    if "lr" in values and suite.search is not None:
        advice = "Give rates to try: [search] lr. Without [search], nothing is searched."
        raise InputError("no lr, since it is searched", values["lr"], at=at, advice=advice)


def _check_variant(suite: Suite, variant: Variant, at: str) -> None:
    if variant.name in (ALL, OWN) or variant.name.partition(":")[0] in methods.available():
        raise InputError("a name that is not a method", repr(variant.name), at=at)
    if not folder_name(variant.name).strip("-."):
        raise InputError("a name with letters or digits", repr(variant.name), at=at)
    if variant.seeds < 0:
        raise InputError("0 or more seeds", variant.seeds, at=at)
    if not 0 < variant.share <= 1:
        raise InputError("a share of the images in (0, 1]", variant.share, at=at)
    if variant.encoder:
        _check_encoder(suite, variant, f"{at} encoder")
    _check_training(suite, variant.training, f"{at} training")
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


def _check_encoder(suite: Suite, variant: Variant, at: str) -> None:
    rows = [label for label in suite.methods if label != variant.name and not suite.variant(label).encoder]
    if variant.encoder not in rows:
        expected = f"a row with an encoder of its own: {', '.join(rows)}"
        raise InputError(expected, repr(variant.encoder), at=at, advice=nearest(variant.encoder, rows))
    if suite.search is not None:
        raise InputError("no encoder of another row where settings are searched", repr(variant.encoder), at=at)


def _check_unique(names: Iterable[str], expected: str, at: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(expected, f"{name!r} twice", at=at)
        seen.add(name)


def _check_data_names(suite: Suite, names: str | Sequence[str], at: str) -> None:
    known = [entry.name for entry in suite.data]
    for name in () if names == ALL else names:
        if name not in known:
            expected = f"data of the suite: {', '.join(known)}"
            raise InputError(expected, repr(name), at=at, advice=nearest(name, known))


def _check_rules(before: Iterable[str], after: Iterable[str], at: str) -> None:
    with within(at):
        for spec in before:
            inference_of(None if spec == OWN else spec, inference.BottomUp())
        for spec in after:
            decision_of(None if spec == OWN else spec, decisions.Leaf())
