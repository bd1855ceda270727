"""Binary classification of pairs by a threshold on their energy."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class EdgeScores:
    """How well ``energy <= threshold`` separates ancestor-descendant pairs from other pairs.

    Args:
        threshold: Maximum energy of a predicted edge.
        true_positives: Number of edges predicted as such.
        false_positives: Number of other pairs predicted as edges.
        num_edges: Number of edges.
        num_others: Number of other pairs.

    Example:
        >>> scores = EdgeScores(0.1, true_positives=3, false_positives=1, num_edges=4, num_others=10)
        >>> scores.precision, scores.recall, scores.f1, scores.tnr
        (0.75, 0.75, 0.75, 0.9)
    """

    threshold: float
    true_positives: int
    false_positives: int
    num_edges: int
    num_others: int

    @property
    def precision(self) -> float:
        """Share of the predicted edges that are edges."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the edges that are predicted: the true positive rate."""
        return _share(self.true_positives, self.num_edges)

    @property
    def tnr(self) -> float:
        """Share of the other pairs that are predicted as such: the true negative rate."""
        return _share(self.num_others - self.false_positives, self.num_others)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, self.true_positives + self.false_positives + self.num_edges)

    @property
    def accuracy(self) -> float:
        """Share of all pairs that are classified correctly."""
        right = self.true_positives + self.num_others - self.false_positives
        return _share(right, self.num_edges + self.num_others)

    def to_dict(self) -> dict[str, float | int]:
        """The scores as stored in a file."""
        rates = {name: getattr(self, name) for name in ("f1", "precision", "recall", "tnr", "accuracy")}
        return {**rates, "threshold": self.threshold, "num_edges": self.num_edges, "num_others": self.num_others}


class BestThreshold:
    """The threshold of best F1, with the other pairs added in batches and not kept.

    The best threshold is the energy of an edge: any other admits more pairs and no more edges. So the other pairs are
    only counted between the edges' energies. Of thresholds with equal F1 the lowest is used.

    Args:
        edges: Energies of all edges.

    Example:
        >>> best = BestThreshold(torch.tensor([0.125, 0.25, 0.9]))
        >>> best.add(torch.tensor([0.3, 0.5, 1.0]))
        >>> best.scores().threshold, best.scores().f1
        (0.25, 0.8)
    """

    def __init__(self, edges: Float[Tensor, " edge"]) -> None:
        self._edges = edges.detach().sort().values
        self._others: Int[Tensor, " gap"] = torch.zeros(len(edges) + 1, dtype=torch.int64, device=edges.device)

    def add(self, others: Float[Tensor, " pair"]) -> None:
        """Count pairs that are not edges."""
        place = torch.searchsorted(self._edges, others.detach())
        self._others += torch.bincount(place, minlength=len(self._others))

    def scores(self) -> EdgeScores:
        """Scores at the best threshold, which is 0 if there are no edges."""
        num_edges, num_others = len(self._edges), int(self._others.sum())
        if not num_edges:
            return EdgeScores(0.0, 0, 0, 0, num_others)
        wrong = self._others[:-1].cumsum(0)
        right = torch.searchsorted(self._edges, self._edges, right=True)
        f1 = 2 * right.double() / (right + wrong + num_edges)
        best = int(f1.argmax())
        return EdgeScores(float(self._edges[best]), int(right[best]), int(wrong[best]), num_edges, num_others)


def scores_at(threshold: float, edges: Float[Tensor, " edge"], others: Float[Tensor, " pair"]) -> EdgeScores:
    """Scores at a given threshold.

    Example:
        >>> scores_at(0.2, torch.tensor([0.1, 0.3]), torch.tensor([0.5])).recall
        0.5
    """
    found, taken = int((edges <= threshold).sum()), int((others <= threshold).sum())
    return EdgeScores(threshold, found, taken, len(edges), len(others))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
