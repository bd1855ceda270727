"""The rules that requests ask for: read, fitted on the run's own scores, and kept for the next request."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast, get_args, get_type_hints

from torch import Tensor

from cladewise import decisions, inference
from cladewise.catalogue import options_of, parse_spec, split_chain
from cladewise.decisions import Decision
from cladewise.decisions.guarantee import Guaranteed
from cladewise.engine import Run
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.scoring import data_digest, scored_digest
from cladewise.engine.rules import NO_INFERENCE, decision_of, inference_of, only_allowed, spec_of
from cladewise.errors import InputError
from cladewise.inference import Inference, Subset
from cladewise.inference.columns import notes_on
from cladewise.predictions import Fittable
from cladewise.scale.answering import Answerer
from cladewise.serving.asking import Rules
from cladewise.serving.refusals import Refused

MOST_KEPT = 256
"""Rules that are kept at the same time; the one that was not used for longest goes first."""


class RuleBook:
    """The rules of one run, made when they are first asked for.

    It may be used from any thread. Nothing is written into the run folder.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._tree = run, run.answer_tree()
        self._kept: OrderedDict[Rules, tuple[Answerer, str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, rules: Rules) -> bool:
        """Whether the rules have been made already."""
        return rules in self._kept

    def answerer(self, rules: Rules) -> Answerer:
        """The function from features to answers by some rules.

        Raises:
            Refused: There is no such rule, option or label, the rule needs files or columns of the images, or it has
                to be fitted and the run has no scores for that.
        """
        return self._found(rules)[0]

    def specs(self, rules: Rules) -> tuple[str, str]:
        """The inference and the decision as texts."""
        return self._found(rules)[1:]

    def promise(self, rules: Rules) -> float | None:
        """The share of right answers that the decision promises, if it was fitted for it."""
        answerer = self.answerer(rules)
        asked = decision_asked(rules.decision, self._run.decision)
        was_given = isinstance(asked, Fittable) and asked.is_fitted
        return None if was_given else answerer.decision.promise

    def _found(self, rules: Rules) -> tuple[Answerer, str, str]:
        with self._lock:  # fitting the same rule twice would take twice as long
            found = self._kept.get(rules)
            if found is None:
                try:
                    found = self._made(rules)
                except InputError as error:
                    raise Refused.of(error, kind="rule") from error
            self._kept[rules] = found
            self._kept.move_to_end(rules)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return found

    def _made(self, rules: Rules) -> tuple[Answerer, str, str]:
        run = self._run
        if rules.decision is not None:
            _check_files(_without_caution(rules.decision)[0], decisions.available(), "decision")
        if rules.inference not in (None, NO_INFERENCE):
            _check_files(f"{rules.inference}+leaf", decisions.available(), "inference")
        if rules.allowed is not None and not any(map(str.strip, rules.allowed)):
            raise InputError("at least one allowed label", "none")
        asked = inference_of(rules.inference, run.inference)
        decision = decision_asked(rules.decision, run.decision)
        own = ready(run, self._fittable(asked, rules.inference is None), keep=False, progress=False).rule
        before = only_allowed(own, None if rules.allowed is None else list(rules.allowed))
        own_decision = rules.decision is None and rules.inference is None
        rule = ready(run, self._fittable(decision, own_decision), before=own, keep=False, progress=False).rule
        notes_on(before, None, run.own_taxonomy)
        notes_on(rule, None, self._tree.before.taxonomy)
        answerer = Answerer(run, before, rule, self._tree)
        answerer.nothing()  # so that rules that cannot be applied are refused before any image is read
        return answerer, spec_of(own), rules.decision or spec_of(decision)

    def _fittable(self, rule: Any, own: bool) -> Any:
        """The rule, if it needs no fitting or can be fitted on scores that are kept in the run folder.

        Raises:
            InputError: It would have to be fitted on images, which no request can wait for.
        """
        if own or not isinstance(rule, Fittable) or rule.is_fitted:
            return rule
        if not has_scores(self._run, rule.fits_on):
            name = spec_of(cast("Decision", rule))
            raise InputError(
                f"scores of the split {rule.fits_on} in the run folder, for {name} to be fitted on",
                "none",
                advice=f"Run once: cladewise evaluate RUN --split {rule.fits_on}, then reload the model.",
            )
        return rule


def decision_asked(text: str | None, default: Decision) -> Decision:
    """The decision of a text, whose caution may be given, as in ``hedging:caution=2.5``; the default for none.

    Raises:
        InputError: There is no such rule, or the caution is not a number from 0 on.

    Example:
        >>> decision_asked("hedging:caution=2.5", decisions.Leaf()).is_fitted
        True
    """
    if text is None:
        return default
    without, caution = _without_caution(text)
    rule = decision_of(without, default)
    return dataclasses.replace(rule, caution=caution) if isinstance(rule, Guaranteed) and caution is not None else rule


def _without_caution(text: str) -> tuple[str, float | None]:
    """The text of a rule without its caution, and that."""
    *before, last = split_chain(text)
    name, _, options = last.partition(":")
    pieces = options.split(",")
    given = [piece for piece in pieces if piece.startswith("caution=")]
    if len(given) != 1 or not issubclass(decisions.available().get(name, Decision), Guaranteed):
        return text, None
    try:
        caution = float(given[0].removeprefix("caution="))
    except ValueError:
        caution = -1.0
    if not 0 <= caution < math.inf:
        raise InputError("a caution from 0 on", given[0])
    rest = ",".join(piece for piece in pieces if piece not in given)
    return "+".join([*before, f"{name}:{rest}" if rest else name]), caution


def has_scores(run: Run, split: str) -> bool:
    """Whether scores of a split are kept in the run folder, and are those of the data as it is now or last was."""
    if not run.folder.scores(split).is_file():
        return False
    own, kept = run.before_migration, scored_digest(run, split)
    try:
        now = data_digest(own, split, own.dataset_if_there)
    except InputError:  # the data has no such split any more
        return True
    return not now or now == kept


def _check_files(chain: str, known: Mapping[str, type[Decision]], what: str) -> None:
    """Check that a chain of rules reads no files, which requests may not name.

    Raises:
        InputError: It names a file, or there is no such rule or option.
    """
    *before, last = split_chain(chain)
    inferences = inference.available()
    for parts, word, text in [(inferences, "inference", text) for text in before] + [(known, what, last)]:
        name, given = parse_spec(parts, word, text)
        _check_options(parts[name], given)


def _check_options(kind: type[Inference] | type[Decision], given: Mapping[str, Any]) -> None:
    if kind is Subset and not given:
        raise InputError("labels as allowed", "the inference subset without any", advice="Send them as allowed=...")
    types = get_type_hints(kind)
    for option in given.keys() & options_of(kind).keys():
        choices = get_args(types[option])
        by_path = any(getattr(choice, "__name__", "") == "Path" for choice in (types[option], *choices))
        by_word = Tensor in choices and not str(given[option]).replace("-", "").isalnum()
        if by_path or by_word:
            raise InputError(
                f"options of {kind.name} that are not files",
                f"{option}={given[option]}",
                advice="Send possible labels as allowed.",
            )
