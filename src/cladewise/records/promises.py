"""Promises of a fitted decision, and how they fared on the images of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from cladewise.statistics import binomial_tail

LEVEL = 0.05
"""Significance level at which a promise counts as held or broken in general, not only on these images."""

Outcome = Literal["held", "held here", "missed here", "did not hold"]


@dataclasses.dataclass(frozen=True)
class PromiseKept:
    """A promised share of right answers, and the number of right ones among the images that it is about.

    Args:
        name: What it is about, such as a level or a group of images; empty for all answers to all images.
        share: The share, in [0, 1).
        right: Number of images whose label is at or under the answer.
        images: Number of images.

    Raises:
        ValueError: The share is not in [0, 1), or there are more right images than images.

    Example:
        >>> PromiseKept("family", 0.9, 570, 600).outcome, PromiseKept("", 0.9, 535, 600).outcome
        ('held', 'missed here')
    """

    name: str
    share: float
    right: int
    images: int

    def __post_init__(self) -> None:
        if not (0 <= self.share < 1 and 0 <= self.right <= self.images):
            raise ValueError(f"promise {self}")

    @property
    def outcome(self) -> Outcome:
        """Result of one-sided binomial tests at level 5%; without images ``held here``.

        ``held`` if chance alone would give so many right answers, were the share lower, in at most 5% of cases, and
        ``did not hold`` if it would give so few, were the share reached. Otherwise there are too few images to tell,
        and ``held here`` or ``missed here`` says how the promise fared on these.
        """
        if self.right >= self.share * self.images:
            return (
                "held" if self.images and binomial_tail(self.right, self.images, self.share) <= LEVEL else "held here"
            )
        as_few = 1 - binomial_tail(self.right + 1, self.images, self.share)
        return "did not hold" if as_few <= LEVEL else "missed here"


def outcomes_in_words(promises: Sequence[PromiseKept], unit: str = "image") -> str:
    """A clause on promises other than the one for all answers; empty if there are none.

    Args:
        promises: The promises.
        unit: What was counted: images, or groups of images.

    Example:
        >>> outcomes_in_words([PromiseKept("family", 0.99, 600, 600), PromiseKept("order", 0.99, 500, 600)])
        'the 99% guarantee for family held, the 99% guarantee for order did not hold'
    """
    if len(promises) <= 3:
        return ", ".join(in_words(one, unit) for one in promises)
    broken = [one for one in promises if one.outcome == "did not hold"]
    missed = sum(one.outcome == "missed here" for one in promises)
    parts = [f"of {len(promises):,} further guarantees {len(promises) - len(broken) - missed:,} held on these {unit}s"]
    if missed:
        parts.append(f"{missed:,} {'was' if missed == 1 else 'were'} missed within chance")
    if broken:
        names = ", ".join(one.name for one in broken[:3]) + (" and others" if len(broken) > 3 else "")
        parts.append(f"{len(broken):,} did not hold ({names})")
    return ", ".join(parts)


def in_words(promise: PromiseKept, unit: str = "image") -> str:
    """A clause on one promise; ``unit`` as in :func:`outcomes_in_words`."""
    what = f"the {100 * promise.share:g}% guarantee" + (f" for {promise.name}" if promise.name else "")
    these = f"this one {unit}" if promise.images == 1 else f"these {promise.images:,} {unit}s"
    if promise.outcome == "held here":
        return f"{what} held on {these}, too few to confirm it" if promise.images else f"{what} has no {unit}"
    if promise.outcome == "missed here":
        return f"{what} was missed on {these}, within chance"
    return f"{what} {promise.outcome}"
