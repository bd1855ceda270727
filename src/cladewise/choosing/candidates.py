"""The rules to choose from: every decision, with several values of the option that makes it more or less cautious."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cladewise import decisions, inference
from cladewise.catalogue import options_of

LADDERS: dict[str, tuple[float, ...]] = {
    "threshold": (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    "guarantee": (0.8, 0.9, 0.95, 0.99),
    "coverage": (0.8, 0.9, 0.95, 0.99),
}
"""Values of the options that make a rule more cautious."""

VARIANTS: dict[str, tuple[str, ...]] = {
    "conformal": ("", "confidence=0.95"),
    "crm": ("", "cost=path-length", "over=nodes,cost=path-length"),
    "greedy": ("", "on=step"),
    "optimal": tuple(f"metric={metric}" for metric in ("info-f1", "depth-f1", "hf", "zhao", "cpb", "path-length")),
}
"""Further options of some decisions, each to be combined with the values of the ladder."""

PLAIN = ("leaf", "majority", "threshold", "hedging")
"""Decisions that come first: of rules that answer the same, the first one is named."""

OTHER_QUESTIONS = ("new-class",)
"""Decisions that answer another question than which node an image of a known class belongs to."""

CALIBRATE = "calibrate"
"""Inference that calibrates probabilities."""

CALIBRATED = ("threshold", "hedging", "expected-information")
"""Decisions that are judged on calibrated probabilities as well; many more would cost all rules some of their bound."""


def candidate_rules() -> list[str]:
    """The texts of all rules that ``cladewise choose`` judges.

    These are every installed decision, but for the detection of new classes; if it has a ``threshold``, ``guarantee``
    or ``coverage``, once per value of :data:`LADDERS`; and those of :data:`CALIBRATED` on calibrated probabilities as
    well. An option without a default that chooses among words takes each of them.

    Example:
        >>> rules = candidate_rules()
        >>> "leaf" in rules, "threshold:threshold=0.95" in rules, "greedy:on=step,threshold=0.8" in rules
        (True, True, True)
    """
    found: list[str] = []
    kinds = decisions.available()
    for name in dict.fromkeys([*PLAIN, *(name for name in kinds if name not in OTHER_QUESTIONS)]):
        kind = kinds[name]
        found += [f"{name}:{','.join(filter(None, words))}".removesuffix(":") for words in _options(name, kind)]
    if CALIBRATE in inference.available():
        found += [f"{CALIBRATE}+{text}" for text in found if text.partition(":")[0] in CALIBRATED]
    return found


def _options(name: str, kind: type[Any]) -> Iterator[tuple[str, ...]]:
    """The options of a decision in words, for each of its rules."""
    known, types = options_of(kind), get_type_hints(kind)
    choices = [
        [f"{option}={word}" for word in get_args(types[option])]
        for option, field in known.items()
        if get_origin(types[option]) is Literal and field.default is field.default_factory
    ]
    ladders = [[f"{option}={value:g}" for value in values] for option, values in LADDERS.items() if option in known]
    if "threshold" in known and known["threshold"].default == 0:  # without a threshold the rule stops for nothing
        ladders = [["", *ladder] for ladder in ladders]
    yield from itertools.product(VARIANTS.get(name, ("",)), *choices, *ladders)
