"""The curves of an evaluation, as points and bins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cladewise.records.json_numbers import numbers_of, or_null


@dataclasses.dataclass(frozen=True)
class CurvePoints:
    """Points of an operating curve, from answering the root to answering a leaf.

    Args:
        threshold: Probability that an answer must reach; NaN at the point that answers the root for every image.
        recall: Information recall at each threshold.
        precision: Information precision at each threshold.
        correct: Share of right answers at each threshold.
    """

    threshold: tuple[float, ...]
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    correct: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class RiskPoints:
    """Points of a risk–coverage curve, from answering the root to answering a leaf.

    Args:
        threshold: Probability that an answer must reach; NaN at the point where no image has moved.
        coverage: Mean specificity of the answers at each threshold.
        risk: Share of wrong answers at each threshold.
    """

    threshold: tuple[float, ...]
    coverage: tuple[float, ...]
    risk: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class CalibrationBins:
    """Confidence against accuracy at one level, over bins of confidence.

    Args:
        confidence: Mean confidence in each bin; NaN in an empty one.
        accuracy: Accuracy in each bin; NaN in an empty one.
        count: Number of images in each bin.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Curves:
    """The curves of an evaluation.

    Args:
        operating: The operating curve; ``None`` if the evaluation has none.
        reliability: Calibration bins by level.
        risk: Risk–coverage curves by rule, ``climbing`` and ``threshold``; empty in early versions.
    """

    operating: CurvePoints | None = None
    reliability: Mapping[str, CalibrationBins] = dataclasses.field(default_factory=dict[str, CalibrationBins])
    risk: Mapping[str, RiskPoints] = dataclasses.field(default_factory=dict[str, RiskPoints])

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Curves:
        """Build the curves from plain lists by name; ``None`` stands for NaN. The reverse of :meth:`to_dict`.

        Raises:
            KeyError, TypeError, ValueError: A column is missing, has entries that are not numbers, or differs in length
                from the others.

        Example:
            >>> bins = {"confidence": [None, 0.7], "accuracy": [None, 0.8], "count": [0, 5]}
            >>> Curves.from_dict({"reliability": {"genus": bins}}).reliability["genus"].count
            (0, 5)
        """
        operating, by_level = content.get("operating"), content.get("reliability") or {}
        return cls(
            CurvePoints(*_columns(operating, CurvePoints, "operating")) if operating else None,
            {
                level: CalibrationBins(*_columns(bins, CalibrationBins, f"reliability at {level}"))
                for level, bins in by_level.items()
            },
            {
                rule: RiskPoints(*_columns(points, RiskPoints, f"risk of {rule}"))
                for rule, points in (content.get("risk") or {}).items()
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists by name, as in the JSON; ``None`` stands for NaN."""
        found: dict[str, Any] = {}
        if self.operating is not None:
            found["operating"] = _lists(self.operating)
        if self.operating is not None or self.reliability:
            found["reliability"] = {level: _lists(bins) for level, bins in self.reliability.items()}
        if self.risk:
            found["risk"] = {rule: _lists(points) for rule, points in self.risk.items()}
        return found


def _columns(columns: Mapping[str, Any], kind: type, what: str) -> list[tuple[float, ...]]:
    """The columns of a curve in the order of the fields of ``kind``."""
    names = [field.name for field in dataclasses.fields(kind)]
    found = [numbers_of(columns[name], f"{what} {name}") for name in names]
    if len(set(map(len, found))) > 1 or not found[0]:
        sizes = ", ".join(f"{len(column)} of {name}" for name, column in zip(names, found, strict=True))
        raise ValueError(f"{what}: {sizes}")
    return found


def _lists(curve: CurvePoints | CalibrationBins | RiskPoints) -> dict[str, list[float | None]]:
    return {field.name: list(map(or_null, getattr(curve, field.name))) for field in dataclasses.fields(curve)}
