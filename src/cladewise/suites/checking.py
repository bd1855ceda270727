"""Checks a whole suite before its first run."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from cladewise import decisions, inference, methods
from cladewise.catalogue import nearest, parse_spec
from cladewise.engine.rules import decision_of, inference_of
from cladewise.episodes.episode import check_ways
from cladewise.errors import InputError
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig, check_tree, settings
from cladewise.records.metric_names import metric_text
from cladewise.records.resources import column_text
from cladewise.suites.suite import ALL, OWN, Suite, Variant, folder_name


def check(suite: Suite, at: str) -> None:
    """Refuse a suite that could not be carried out.

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
            raise InputError("a metric of which higher or lower is better", repr(suite.search.metric))
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
            raise InputError("a unique name for every [[table]]", f"{table.name!r} twice", at=at)
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
        raise InputError("no lr, since it is searched", values["lr"], at=at, advice="Give rates to try: [search] lr.")


def _check_variant(suite: Suite, variant: Variant, at: str) -> None:
    if variant.name in (ALL, OWN) or variant.name.partition(":")[0] in methods.available():
        raise InputError("a name that is not a method", repr(variant.name), at=at)
    if suite.variant(variant.name) is not variant:
        raise InputError("a unique name for every [[variant]]", f"{variant.name!r} twice", at=at)
    if variant.seeds < 0:
        raise InputError("0 or more seeds", variant.seeds, at=at)
    if not 0 < variant.share <= 1:
        raise InputError("a share of the images in (0, 1]", variant.share, at=at)
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


@contextlib.contextmanager
def within(at: str) -> Generator[None, None, None]:
    """Add the part of the file to errors raised inside."""
    try:
        yield
    except InputError as error:
        where = f"{at}, {error.at}" if error.at else at
        raise InputError(error.expected, error.got, at=where, advice=error.advice) from None
