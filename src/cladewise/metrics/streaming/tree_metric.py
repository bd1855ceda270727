"""Base class of streaming metrics: one call ``update(preds, target)`` for logits, predictions, answers and nodes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import ArrayLike
from torch import Tensor
from torchmetrics import Metric

from cladewise import catalogue, decisions
from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.predictions import Prediction
from cladewise.records.metric_names import metric_text
from cladewise.taxonomy import Taxonomy

Given = Prediction | Answer | Tensor
"""Predictions of a batch: a prediction, the answer of a decision, logits ``[batch, out]``, or one index per image."""


class TreeMetric(Metric):
    """A torchmetrics metric of a label tree.

    All subclasses are updated by ``update(preds, target)`` with the same arguments, so they can share a
    :class:`torchmetrics.MetricCollection`.

    ========================  =======================================================================================
    ``preds``                 read as
    ========================  =======================================================================================
    prediction                itself; decided by ``decision`` where a metric needs an answer
    floating-point tensor     logits ``[batch, out]``, made a prediction by ``predict``
    answer of a decision      itself; metrics of a prediction refuse it
    integer tensor            one node per image, or with ``classes`` one class index per image
    ========================  =======================================================================================

    ``target`` has one node per image, or with ``classes`` one class index. Half-precision logits are read in single
    precision.

    Metrics of a collection that are of one class and have the same settings share their states and are updated once.
    torchmetrics forms these groups by the values of the states after the first batch, which can be the same for two
    decisions. The settings are therefore part of the state.

    Args:
        taxonomy: The label tree.
        predict: Function from logits to a prediction, such as ``loss.prediction``; needed for logits only.
        classes: Node of each class index; ``None``: targets are nodes.
        decision: The rule that decides a prediction, or a text that names it, as in ``"threshold:threshold=0.8"``. A
            rule that learns must be fitted.
        only: Name of a metric, whose value :meth:`compute` returns as a scalar; or several names, for a dictionary of
            these; ``None``: everything that the class computes.
        options: Options of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There is no such decision, or the class does not compute the metric.
    """

    is_differentiable = False
    full_state_update = False

    settings: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        predict: Callable[[Tensor], Prediction] | None = None,
        classes: ArrayLike | None = None,
        decision: Decision | str = "leaf",
        only: str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.taxonomy, self.predict = taxonomy, predict
        self.decision: Decision = (
            catalogue.from_spec(decisions.available(), "decision", decision) if isinstance(decision, str) else decision
        )
        self.classes = None if classes is None else torch.as_tensor(np.asarray(classes, dtype=np.int64).copy())
        self.only = only if only is None or isinstance(only, str) else tuple(only)
        for name in self.chosen:
            if name not in self.names():
                listed = ", ".join(self.names())
                advice = catalogue.nearest(name, self.names())
                raise InputError(f"a metric of {type(self).__name__}: {listed}", repr(name), advice=advice)
        self.add_state("settings", torch.tensor(self._digest()), dist_reduce_fx="max")

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """Whether more is better, if ``only`` names a single metric; ``None`` for one that only describes."""
        return metric_text(self.only).higher_is_better if isinstance(self.only, str) else None

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the metrics to compute, none if it is all of them."""
        return () if self.only is None else (self.only,) if isinstance(self.only, str) else self.only

    def names(self) -> tuple[str, ...]:
        """Names that ``only`` can have."""
        raise NotImplementedError

    def values(self) -> dict[str, Tensor]:
        """Every metric under its name; with ``only``, at least those that it names."""
        raise NotImplementedError

    def everything(self) -> Any:
        """The value of :meth:`compute` without ``only``."""
        return self.values()

    def compute(self) -> Any:
        """The value of ``only``, a dictionary of several, or everything that the class computes."""
        if self.only is None:
            return self.everything()
        values = self.values()
        return values[self.only] if isinstance(self.only, str) else {name: values[name] for name in self.only}

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch.

        Args:
            preds: A prediction, the answer of a decision, logits ``[batch, out]``, or one index per image.
            target: Node of each image's label; with ``classes``, its class index.

        Raises:
            InputError: The predictions are of a kind that this metric or its settings cannot read, or there is not one
                target per image.
        """
        raise NotImplementedError

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the value, or those of several epochs, as :meth:`torchmetrics.Metric.plot` does.

        Args:
            val: Values of :meth:`compute` or ``forward``; ``None``: the present value.
            ax: Matplotlib axes to draw on.

        Raises:
            InputError: The value is not a number or several: it needs ``only``.
        """
        if self.only is None and not isinstance(self.compute() if val is None else val, dict | list | tuple | Tensor):
            raise InputError("a metric with numbers to draw", type(self).__name__, advice="Name one with only=.")
        return self._plot(val, ax)

    def prediction_of(self, preds: Given) -> Prediction:
        """The given predictions, where logits or a prediction are needed.

        Raises:
            InputError: They are answers or nodes, or logits without ``predict``.
        """
        if isinstance(preds, Prediction):
            return preds
        if isinstance(preds, Tensor) and preds.is_floating_point():
            if self.predict is None:
                advice = "Pass predict=loss.prediction, or a prediction instead of logits."
                raise InputError("a function from logits to a prediction", "none", advice=advice)
            return self.predict(preds)
        what = "one index per image" if isinstance(preds, Tensor) else type(preds).__name__
        raise InputError(f"logits or a prediction for {type(self).__name__}", what)

    def answer_of(self, preds: Given) -> tuple[Answer, Prediction | None]:
        """The answers, and the prediction that they decide, if there is one."""
        if isinstance(preds, Nodes | LevelNodes | LabelSets):
            return preds, None
        if isinstance(preds, Tensor) and not preds.is_floating_point():
            return Nodes(self.nodes_of(preds), torch.zeros(preds.shape, device=preds.device)), None
        prediction = self.prediction_of(preds)
        return self.decision(prediction), prediction

    def nodes_of(self, index: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Nodes of class indices; of nodes, themselves.

        Raises:
            InputError: An index is not that of a class (checked on the CPU only).
        """
        if self.classes is None:
            return index
        check_classes(index, len(self.classes))
        self.classes = self.classes.to(index.device)
        return self.classes[index]

    def _digest(self) -> int:
        """Number that differs for metrics that must not share states."""
        fitted = (f.name for f in dataclasses.fields(self.decision) if f.metadata.get("fitted"))
        parts = [
            type(self).__name__,
            self.taxonomy.fingerprint,
            self.decision.handle,
            *(catalogue.value_text(_plain(getattr(self.decision, name))) for name in fitted),
            *self.own_settings(),
            _identity(self.predict),
            "" if self.classes is None else repr(self.classes.tolist()),
        ]
        return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:7], "big")

    def added(self) -> None:
        """Note that a batch was added by another way than :meth:`update`, after which a value must be computed anew."""
        self._computed = None
        self._update_count += 1

    def own_settings(self) -> tuple[str, ...]:
        """Further settings of the class, as texts."""
        return ()


def check_classes(index: Int[Tensor, "*batch"], num_classes: int) -> None:
    """Check on the CPU that indices are those of classes.

    Raises:
        InputError: One is not.
    """
    if index.device.type == "cpu" and index.numel():
        low, high = (int(bound) for bound in torch.aminmax(index))
        if low < 0 or high >= num_classes:
            raise InputError(f"class indices, 0 to {num_classes - 1}", low if low < 0 else high)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _identity(function: Any) -> str:
    """Text that two functions share if they are the same, or methods of the same object."""
    return f"{id(getattr(function, '__self__', function))} {getattr(function, '__name__', '')}" if function else ""
