"""Curves of a figure: which option is the axis, and the rows along it."""

from __future__ import annotations

import dataclasses
from typing import Any

from cladewise import inference, methods
from cladewise.catalogue import options_of, spec
from cladewise.engine.rules import decision_of, inference_of, spec_of
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.suites.columns import check_columns
from cladewise.suites.entries import OWN, FigureEntry
from cladewise.suites.suite import Suite


@dataclasses.dataclass(frozen=True)
class Point:
    """A row of a figure: its label and rules, the value of the axis, and the curve that it is on."""

    method: str
    inference: str
    decision: str
    x: float
    curve: str


def check_curve(suite: Suite, figure: FigureEntry) -> None:
    """Check a figure of kind ``curve`` of a suite on one dataset.

    Raises:
        InputError: A panel, the scale or the axis does not exist.
    """
    check_columns(suite, figure)
    if figure.scale not in ("linear", "log"):
        raise InputError("a scale: linear or log", repr(figure.scale))
    curve_points(suite, figure)


@dataclasses.dataclass(frozen=True)
class _Row:
    """A row with everything that determines it: what may be the axis, and what is equal along a curve."""

    names: tuple[str, str, str]
    inferences: tuple[Inference, ...]
    decision: Any
    method: Any
    settings: dict[str, Any]

    def value(self, source: str, x: str) -> float | None:
        """The number on the axis, if the axis is of that source; a switch or a text is none."""
        if source == "settings":
            found = self.settings.get(x)
        else:
            parts = {"inference": self.inferences, "decision": (self.decision,), "method": (self.method,)}[source]
            found = next((getattr(part, x) for part in parts if x in options_of(part)), None)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    def texts(self, source: str, x: str) -> tuple[str, str, str]:
        """Names of the method and the rules without the value of the axis."""
        label, infer, decide = self.names
        if source in ("method", "settings"):
            label = spec(_at_default(self.method, x))
        if source == "inference":
            infer = spec_of(inference.chain([_at_default(rule, x) for rule in self.inferences]))
        if source == "decision":
            decide = spec_of(_at_default(self.decision, x))
        return label, infer, decide


def curve_points(suite: Suite, figure: FigureEntry) -> list[Point]:
    """The rows of a figure on one dataset, by the value of the axis.

    The axis is an option of the inferences, the decisions or the methods, or a setting such as ``label_noise`` or
    ``share``: the first of these that is a number in every row and not the same in all. Rows that differ in nothing
    else are on one curve.

    Raises:
        InputError: There is no such option.
    """
    rows = [_row(suite, label, *rules) for label in suite.methods_of(figure) for rules in suite.rules_of(figure)]
    for source in ("inference", "decision", "method", "settings"):
        values = [value for row in rows if (value := row.value(source, figure.x)) is not None]
        if len(values) == len(rows) and len(set(values)) > 1:
            names = _curve_names(rows, source, figure.x)
            points = [Point(*row.names, x, curve) for row, x, curve in zip(rows, values, names, strict=True)]
            return sorted(points, key=lambda point: point.x)
    expected = "x to be an option or setting that is a number in every row and differs between them"
    raise InputError(expected, repr(figure.x))


def _row(suite: Suite, label: str, infer: str, decide: str) -> _Row:
    (data,) = suite.data
    name, options, *tables = suite.resolved(data.name, label)
    method = methods.make(name, **options)
    rule = inference_of(None if infer == OWN else infer, method.inference())
    settings = {key: value for table in tables for key, value in dataclasses.asdict(table).items()}
    return _Row(
        (label, infer, decide),
        tuple(rule.rules) if isinstance(rule, inference.Chain) else (rule,) if rule is not None else (),
        decision_of(None if decide == OWN else decide, method.decision()),
        method,
        {**settings, "share": suite.variant(label).share},
    )


def _curve_names(rows: list[_Row], source: str, x: str) -> list[str]:
    """Name of each row's curve: as much of its method, rules and settings as tells it from the others."""
    texts = [row.texts(source, x) for row in rows]
    varies = [len({text[place] for text in texts}) > 1 for place in range(3)]
    names = [", ".join(part for part, shown in zip(text, varies, strict=True) if shown) or text[0] for text in texts]
    settings = [{key: repr(v) for key, v in row.settings.items() if (source, key) != ("settings", x)} for row in rows]
    for name in set(names):
        places = [place for place, other in enumerate(names) if other == name]
        differing = [key for key in settings[places[0]] if len({settings[place][key] for place in places}) > 1]
        for place in places:
            names[place] = ", ".join([name, *(f"{key}={settings[place][key]}" for key in differing)])
    return names


def _at_default(part: Any, option: str) -> Any:
    field = options_of(part).get(option)
    if field is None or field.default is dataclasses.MISSING:
        return part
    return dataclasses.replace(part, **{option: field.default})
