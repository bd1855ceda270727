"""Subset inference: only some labels are possible, such as those known to occur where the image was taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.inference.node_files import nodes_of_lines, version
from cladewise.inference.weighing import weighed
from cladewise.predictions import LeafWeights, Prediction
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Subset(Inference):
    r"""Only some nodes are possible: the probability of all others is removed and the rest renormalised.

    .. math:: p'_v = \frac{\sum_{l \in B(v) \cap S} p_l}{\sum_{l \in S} p_l}

    where :math:`S` are the leaves at or under an allowed node, through any parents: an allowed internal node allows
    everything below it. A node is *possible* if it has such a leaf at or under it.

    - Coherent heads give a :class:`~cladewise.predictions.LeafSoftmax` with -inf at impossible leaves.
    - A softmax over all nodes stays one, without the impossible nodes. An ancestor of an allowed node keeps its own
      mass, which means "somewhere below".
    - A softmax per level loses, at each level, the nodes that represent no allowed leaf there.
    - Sigmoids have no sum to restore: impossible nodes get probability 0, the others keep theirs.
    - Any other kind gives the result of :class:`~cladewise.inference.BottomUp`, without impossible leaves.

    Args:
        allowed: A text file with one label per line, labels separated by commas, or a sequence of nodes: numbers or
            labels, as :meth:`~cladewise.taxonomy.Taxonomy.find` takes them.

    Raises:
        InputError: A name belongs to no node or to several, nothing is allowed, or an earlier subset left none of the
            allowed leaves.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
        >>> Subset(["c", "d"])(LeafSoftmax(t, torch.zeros(1, 4))).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.0000, 0.5000, 0.5000, 0.0000]])
    """

    name: ClassVar[str] = "subset"

    allowed: str | Path | Sequence[int | str | Sequence[str]] = ()

    def __post_init__(self) -> None:
        allowed = self.allowed
        if isinstance(allowed, str | Path) and Path(allowed) == Path():  # an empty text names no file
            allowed = ()
        if isinstance(allowed, str | Path) and not Path(allowed).exists() and not _names_a_file(str(allowed)):
            allowed = tuple(label.strip() for label in str(allowed).split(",") if label.strip())
        if not isinstance(allowed, str | Path):
            entries = (v if isinstance(v, str) else tuple(v) if isinstance(v, Sequence) else int(v) for v in allowed)
            object.__setattr__(self, "allowed", tuple(entries))

    def __call__(self, prediction: Prediction) -> Prediction:
        return weighed(prediction, self.weights(prediction.taxonomy, prediction.device))

    def weights(self, taxonomy: Taxonomy, device: torch.device | str = "cpu") -> LeafWeights:
        """Weight 1 for leaves at or under an allowed node, 0 for the others: a prior that only cuts."""
        key = ("subset weights", *self._source, torch.device(device))

        def build() -> LeafWeights:
            allowed = self.can_be(taxonomy, device)[torch.as_tensor(taxonomy.leaf_nodes.copy(), device=device)]
            return LeafWeights(taxonomy, allowed.float().log(), only_cuts=True)

        return cached_for(taxonomy, key, build)

    def can_be(self, taxonomy: Taxonomy, device: torch.device | str = "cpu") -> Bool[Tensor, " node"]:
        """Which nodes have an allowed leaf at or under them.

        Raises:
            InputError: A name belongs to no node or to several, or nothing is allowed.
        """
        key = ("subset", *self._source, torch.device(device))
        return cached_for(taxonomy, key, lambda: torch.as_tensor(self._can_be(taxonomy), device=device))

    @property
    def _source(self) -> tuple[Hashable, ...]:
        """Key that identifies the choice of nodes."""
        by_file = isinstance(self.allowed, str | Path)
        return by_file, version(self.allowed) if isinstance(self.allowed, str | Path) else self.allowed

    def _can_be(self, taxonomy: Taxonomy) -> np.ndarray:
        if isinstance(self.allowed, str | Path):
            nodes, at = nodes_of_lines(self.allowed, taxonomy), str(self.allowed)
        else:
            nodes, at = _nodes(self.allowed, taxonomy), ""
        if not nodes:
            advice = "Pass allowed, a file with one label per line."
            raise InputError("at least one allowed node", "none", at=at, advice=advice)
        below = np.zeros(taxonomy.num_nodes, dtype=np.bool_)
        below[taxonomy.descendants(nodes)] = True
        before = np.concatenate([[0], np.cumsum(below[taxonomy.leaf_nodes])])
        return before[taxonomy.leaf_end] > before[taxonomy.leaf_start]


def _names_a_file(text: str) -> bool:
    """Whether a text is meant as a file although there is none."""
    return "," not in text and Path(text).suffix.lower() in (".txt", ".csv", ".tsv", ".lst", ".list")


def _nodes(entries: Sequence[int | str | Sequence[str]], taxonomy: Taxonomy) -> list[int]:
    labels = [entry for entry in entries if not isinstance(entry, int)]
    named = iter(taxonomy.find(labels).tolist())
    nodes = [entry if isinstance(entry, int) else next(named) for entry in entries]
    for node in nodes:
        if not 0 <= node < taxonomy.num_nodes:
            raise InputError(f"nodes from 0 to {taxonomy.num_nodes - 1}", node)
    return nodes
