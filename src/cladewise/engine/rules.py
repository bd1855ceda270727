"""Inferences and decisions from what users write: a rule, a spec, nothing (the method's own), or ``none``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cladewise import decisions, inference
from cladewise.catalogue import from_spec, spec, split_chain
from cladewise.decisions import Decision
from cladewise.engine.composed import Composed
from cladewise.errors import InputError
from cladewise.inference import Inference

NO_INFERENCE = "none"
"""Name for applying no inference, in specs, configurations and file names."""


def decision_of(decision: str | Decision | None, default: Decision, **parameters: Any) -> Decision:
    """The decision for a spec, a name with parameters, or a decision itself; the default for ``None``.

    Inferences may come before it, joined with ``+``: ``"calibrate+hedging:guarantee=0.95"`` is a
    :class:`~cladewise.engine.Composed`.

    Raises:
        InputError: There is no such decision or inference, or parameters are given without the decision's name.

    Example:
        >>> decision_of("threshold:threshold=0.8", decisions.Leaf())
        Threshold(threshold=0.8, by_name=())
        >>> decision_of("threshold", decisions.Leaf(), threshold=0.7)
        Threshold(threshold=0.7, by_name=())
        >>> spec_of(decision_of("subset:allowed=here.txt+threshold:threshold=0.8", decisions.Leaf()))
        'subset:allowed=here.txt+threshold:threshold=0.8'
    """
    if parameters and not isinstance(decision, str):
        raise InputError("the name of a decision with its parameters", f"only {', '.join(parameters)}")
    if decision is None:
        return default
    if not isinstance(decision, str):
        return decision
    if parameters:
        return decisions.make(decision, **parameters)
    *before, last = split_chain(decision)
    rule = from_spec(decisions.available(), "decision", last)
    return Composed(tuple(_inferences(before)), rule) if before else rule


def inference_of(rule: str | Inference | None, default: Inference | None) -> Inference | None:
    """The inference for a spec or an inference itself; the default for ``None``. Several specs are joined with ``+``.

    Raises:
        InputError: There is no such inference or option.

    Example:
        >>> inference_of("bottom-up", None)
        BottomUp()
        >>> inference_of("none", inference.BottomUp()) is None
        True
    """
    if rule is None:
        return default
    if not isinstance(rule, str):
        return rule
    if rule == NO_INFERENCE:
        return None
    return inference.chain(_inferences(split_chain(rule)))


def _inferences(texts: Sequence[str]) -> list[Inference]:
    known = inference.available()
    return [from_spec(known, "inference", text) for text in texts]


def only_allowed(rule: Inference | None, allowed: str | Path | Sequence[str] | None) -> Inference | None:
    """An inference after which only some labels are possible: the subset inference, after the given one.

    Args:
        rule: The inference, if any.
        allowed: Labels, or a file with one per line; ``None`` to allow everything.

    Example:
        >>> spec_of(only_allowed(inference.BottomUp(), ["Aves", "Chiroptera"]))
        'bottom-up+subset:allowed=Aves,Chiroptera'
    """
    if allowed is None:
        return rule
    subset = inference.Subset(allowed)
    return subset if rule is None else inference.chain(rule, subset)


def handle_of(rule: Inference | Decision | None) -> str:
    """The handle of a rule; ``none`` for no inference."""
    return NO_INFERENCE if rule is None else rule.handle


def spec_of(rule: Inference | Decision | None) -> str:
    """The spec of a rule: its name with its options.

    Example:
        >>> spec_of(inference.chain(inference.Diffusion(0.5), inference.BottomUp()))
        'diffusion:alpha=0.5+bottom-up'
    """
    if rule is None:
        return NO_INFERENCE
    if isinstance(rule, inference.Chain):
        return "+".join(map(spec_of, rule.rules))
    if isinstance(rule, Composed):
        return "+".join(map(spec_of, (*rule.inferences, rule.decision)))
    return spec(rule)
