"""Loss of accuracy by an encoder of lower precision, measured on images of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import sem

from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.exporting.checking import BATCH, Checked, Reference, check, differs, largest_difference
from cladewise.exporting.format import Arrays, Session
from cladewise.exporting.graph import NONE, RunGraph
from cladewise.exporting.pictures import check_pictures, of_one_size
from cladewise.metrics import hierarchical_distance
from cladewise.taxonomy import Taxonomy

LEAST_EQUAL = 0.8
"""Share of equal answers below which a file is refused by default."""
APART_IN_BATCH = 1e-2
"""Largest difference, in nats, between a log-probability of an image by itself and in a batch."""


@dataclasses.dataclass(frozen=True)
class Change:
    """A mean over images before and after a change.

    Args:
        before: The mean in single precision.
        after: The mean in the lower precision.
        error: Standard error of the mean difference, image by image; ``None`` for a single image.
    """

    before: float
    after: float
    error: float | None

    @classmethod
    def of(cls, before: NDArray[np.float64], after: NDArray[np.float64]) -> Change:
        """The change of the mean of some values, one per image.

        Example:
            >>> Change.of(np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0]))
            Change(before=0.75, after=0.5, error=0.25)
        """
        return cls(float(before.mean()), float(after.mean()), _error(after - before))

    def __str__(self) -> str:
        return f"{self.after:.3f} instead of {self.before:.3f}{_plus_minus(self.error)}"


@dataclasses.dataclass(frozen=True)
class Loss:
    """Loss of accuracy by a lower precision, by comparison of a file with torch in single precision.

    Args:
        precision: The precision of the encoder.
        source: The images: a split of the run's data, or made-up pictures.
        images: Their number.
        equal: Share of the images with the same answer.
        error: Its standard error.
        lost: Images without an answer, because their scores are no longer finite numbers.
        apart_in_batch: Largest difference of a log-probability, in nats, between an image by itself and in a batch.
        labels: Number of images with a label, over which the following are means.
        node: Share of right answers: at or below the label. ``None`` without labels, or where answers are sets.
        leaf: Share of images whose most probable leaf is at or below the label.
        distance: Mean hierarchical distance between answer and label, in edges.
    """

    precision: str
    source: str
    images: int
    equal: float
    error: float | None
    lost: int
    apart_in_batch: float
    labels: int = 0
    node: Change | None = None
    leaf: Change | None = None
    distance: Change | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        text = (
            f"{self.precision}: {self.equal:.3f}{_plus_minus(self.error)} of {self.images:,} images of {self.source} "
            "are answered as in fp32"
        )
        names = {"right answers": self.node, "right leaves": self.leaf, "tree distance": self.distance}
        return text + "".join(f"; {name} {change}" for name, change in names.items() if change is not None)

    def check(self, least_equal: float) -> None:
        """Check that a file can be kept.

        Raises:
            InputError: Too few answers are equal, some images are lost, or answers depend on the batch.
        """
        expected, advice = f"a file in {self.precision} ", "Nothing was written. Export with precision='fp32'."
        if self.lost:
            got = f"no answer for {self.lost:,} of {self.images:,}"
            raise InputError(f"{expected}that answers for every image", got, advice=advice)
        if not self.apart_in_batch <= APART_IN_BATCH:
            got = f"log-probabilities up to {self.apart_in_batch:.1e} nats apart"
            raise InputError(f"{expected}whose answers do not depend on the batch", got, advice=advice)
        if self.equal < least_equal:
            got = f"{self.equal:.3f} of {self.images:,} images of {self.source}"
            advice = f"{advice[:-1]}, or accept the loss with least_equal={np.floor(100 * self.equal) / 100:g}."
            raise InputError(
                f"{expected}with the same answer for at least {least_equal:g} of the images", got, advice=advice
            )


def measured(
    run: Run,
    graph: RunGraph,
    session: Session,
    precision: str,
    *,
    images: int,
    split: str | None = None,
    progress: bool = False,
) -> tuple[Checked, Loss]:
    """Compare a file with an encoder of lower precision with the run in torch, whose encoder is in single precision.

    Args:
        run: The run.
        graph: The module that was exported.
        session: The function that the file computes.
        precision: Its precision.
        images: Number of images of the run's data.
        split: The split they are from: by default the test split, else the validation split.
        progress: Show a progress bar.

    Raises:
        InputError: There is no such split.
    """
    seen: list[tuple[Arrays, Arrays]] = []
    checked = check(
        run,
        graph,
        session,
        images=images,
        split=split,
        tolerance=float("inf"),
        seen=lambda got, wanted: seen.append((got, wanted)),
        progress=progress,
    )
    source, pictures, nodes = check_pictures(run, images, split)
    got, wanted = (_joined([pair[place] for pair in seen]) for place in (0, 1))
    lost = _has_none(got["leaf"])
    same = ~differs(got, wanted, np.ones(len(lost), dtype=np.bool_))
    reference = Reference(run, graph)
    first = reference.input(of_one_size(pictures[:BATCH]))
    together = session({graph.start: first})
    alone = _joined([session({graph.start: first[place : place + 1]}) for place in range(len(first))])
    loss = Loss(
        precision,
        source,
        len(lost),
        float(same.mean()),
        _error(same.astype(np.float64)),
        int(lost.sum()),
        _apart(alone, together),
    )
    if nodes is not None and run.dataset.taxonomy == graph.taxonomy and not lost.any():
        loss = _with_labels(loss, got, wanted, nodes, graph.taxonomy)
    return checked, loss


def _with_labels(loss: Loss, got: Arrays, wanted: Arrays, labels: NDArray[np.int64], taxonomy: Taxonomy) -> Loss:
    known = labels >= 0

    def distances(found: Arrays, name: str) -> NDArray[np.float64]:
        nodes, target = (torch.from_numpy(np.asarray(value[known])) for value in (found[name], labels))
        return hierarchical_distance(nodes, target, taxonomy).double().numpy()

    def changed(name: str) -> tuple[Change, Change]:
        before, after = distances(wanted, name), distances(got, name)
        return Change.of((before == 0).astype(np.float64), (after == 0).astype(np.float64)), Change.of(before, after)

    if not known.any():
        return loss
    loss = dataclasses.replace(loss, labels=int(known.sum()), leaf=changed("leaf")[0])
    if "node" not in wanted or any(_has_none(found["node"]).any() for found in (got, wanted)):
        return loss
    node, distance = changed("node")
    return dataclasses.replace(loss, node=node, distance=distance)


def _has_none(nodes: NDArray[Any]) -> NDArray[np.bool_]:
    return nodes == NONE


def _joined(rows: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _apart(alone: Arrays, together: Arrays) -> float:
    """Largest difference of log-probabilities; infinite where a choice differs."""
    every = np.ones(len(alone["leaf"]), dtype=np.bool_)
    if differs(together, alone, every).any():
        return float("inf")
    return max(largest_difference(together[name], alone[name], every) for name in alone if "log" in name)


def _error(values: NDArray[np.float64]) -> float | None:
    return float(sem(values)) if len(values) > 1 else None


def _plus_minus(error: float | None) -> str:
    return "" if error is None else f" ± {error:.3f}"
