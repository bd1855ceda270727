"""Which learning rate and options each method runs with: chosen on held-out training images, never on test."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from cladewise import methods
from cladewise.catalogue import options_of, parse_spec
from cladewise.records.metric_names import metric_text
from cladewise.suites.entries import SearchEntry
from cladewise.suites.suite import Settings, Suite

MOST_EXTENSIONS = 2
"""Number of times, at most, that the range of learning rates is extended because the best is at its end."""

Trials = Mapping[str, list[Settings]]
"""Settings to try, by method."""
Measured = dict[str, dict[Settings, float | None]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Settings chosen for a method, their value, and the number of candidates."""

    settings: Settings
    value: float | None
    trials: int


def search(suite: Suite, measure: Callable[[Trials], Measured]) -> dict[str, Choice]:
    """Choose the settings of every method of a suite.

    First the learning rate with the method's default options, over decades; then the grid of each option in turn, at
    that rate and with the best of the options before it; last the rate again, more finely. Every method goes through
    the same steps. Without ``[search]`` every row has the settings that are stated, or the defaults.

    Args:
        suite: Methods on one dataset, and how to search.
        measure: Gives the metric of settings; called with all methods at once, so that it may work in parallel.
    """
    entry = suite.search
    if entry is None:
        return {label: Choice(_stated(suite, label), None, 0) for label in suite.methods}
    known: Measured = {method: {} for method in suite.searched}

    def run(trials: Trials) -> None:
        new = {m: [s for s in dict.fromkeys(wanted) if s not in known[m]] for m, wanted in trials.items()}
        for method, values in measure({m: wanted for m, wanted in new.items() if wanted}).items():
            known[method] |= values

    def best(method: str) -> Settings:
        return _best(known[method], entry)

    run({method: [Settings(lr) for lr in entry.lr] for method in suite.searched})
    for _ in range(MOST_EXTENSIONS):
        run({m: _beyond(best(m), known[m], entry.lr) for m in suite.searched})
    grids = {label: option_grids(suite.variant(label).method, entry.grid) for label in suite.searched}
    for place in range(max(map(len, grids.values())) if entry.options == "grid" else 0):
        due = {method: of[place] for method, of in grids.items() if place < len(of)}
        run({m: [_with(best(m), option, value) for value in values] for m, (option, values) in due.items()})
    finer = entry.refine
    run({m: [Settings(_rounded(best(m).lr * factor), best(m).options) for factor in finer] for m in suite.searched})
    return {m: Choice(best(m), known[m][best(m)], len(known[m])) for m in suite.searched}


def _stated(suite: Suite, label: str) -> Settings:
    """The rate of a row that is not searched."""
    (data,) = suite.data
    return Settings(suite.resolved(data.name, label).training.lr)


def option_grids(method: str, stated: Mapping[str, Any] | None = None) -> list[tuple[str, tuple[Any, ...]]]:
    """The options of a method that are searched, each with its values; those that its spec fixes are not.

    Args:
        method: Spec of the method.
        stated: Values to try, by option, in place of those of the papers.

    Example:
        >>> option_grids("hace")
        [('dilution', (0.2, 0.5, 0.7))]
        >>> option_grids("hace:dilution=0.5")
        []
        >>> option_grids("hace", {"smoothing": [0.0, 0.1], "margin": [0.1, 1.0]})
        [('smoothing', (0.0, 0.1))]
    """
    name, fixed = parse_spec(methods.available(), "method", method)
    fields = options_of(methods.available()[name])
    grids = stated or {key: field.metadata["grid"] for key, field in fields.items() if field.metadata.get("grid")}
    return [(key, tuple(values)) for key, values in grids.items() if key in fields and key not in fixed]


def _with(settings: Settings, option: str, value: Any) -> Settings:
    """The settings with another value of an option."""
    return Settings(settings.lr, tuple({**dict(settings.options), option: value}.items()))


def _best(values: Mapping[Settings, float | None], entry: SearchEntry) -> Settings:
    """The best settings; of equals the smallest rate, then the first."""
    sign = 1 if metric_text(entry.metric).higher_is_better else -1

    def merit(settings: Settings) -> tuple[float, float]:
        value = values[settings]
        return (-math.inf if value is None or math.isnan(value) else sign * value), -settings.lr

    return max(values, key=merit)


def _beyond(best: Settings, known: Mapping[Settings, Any], rates: tuple[float, ...]) -> list[Settings]:
    """The next learning rate in line, where the best is the smallest or the largest tried."""
    tried = sorted({settings.lr for settings in known})
    if len(rates) < 2:
        return []
    step = (max(rates) / min(rates)) ** (1 / (len(rates) - 1))
    if best.lr == tried[0]:
        return [Settings(_rounded(best.lr / step), best.options)]
    return [Settings(_rounded(best.lr * step), best.options)] if best.lr == tried[-1] else []


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")
