"""The most informative node above a given probability."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.catalogue import named, pairs
from cladewise.decisions.candidates import above, log_bar, says_something
from cladewise.decisions.decision import Decision, Nodes
from cladewise.decisions.dense import in_log_space
from cladewise.decisions.informative import dense_above, most_informative, most_informative_above
from cladewise.errors import InputError
from cladewise.ops import tree_index
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import one_level


@dataclasses.dataclass(frozen=True)
class Threshold(Decision):
    r"""The most informative node whose probability exceeds a threshold.

    .. math:: \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau_v,\ |C(v)| \ne 1} (I(v), p_v)

    The rule is :func:`~cladewise.decisions.informative.most_informative_above`. The threshold may depend on the node:
    thresholds are given by level, for the nodes of that level, or by branch, for a node and everything under it. Where
    several apply to a node, the one of the deepest branch counts, then that of the level, then the common one. In a
    spec: ``threshold:family=0.6,genus=0.8`` and ``threshold:threshold=0.9,Aves=0.7``.

    Args:
        threshold: Probability :math:`\tau` that a node has to exceed, in [0, 1).
        by_name: Thresholds of levels, by name or number, and of branches, by the label of a node: its name, id or path.

    Raises:
        InputError: A threshold is not in [0, 1); or a name is neither a level nor a node of the taxonomy, or is both.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.1]]).log())
        >>> [int(Threshold(x)(p).node) for x in (0.5, 0.8, 0.95)]
        [2, 1, 0]
        >>> [int(Threshold(0.95, by_name={name: 0.5})(p).node) for name in ("level_1", "level_2", "a", "a/c")]
        [1, 2, 2, 0]
    """

    name: ClassVar[str] = "threshold"

    threshold: float = 0.9
    by_name: tuple[tuple[str, float], ...] = named("level or branch")

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", pairs(self.by_name))
        for threshold in (self.threshold, *dict(self.by_name).values()):
            if not 0 <= threshold < 1:
                raise InputError("a threshold in [0, 1)", threshold, advice="0.5 is the majority, 0.9 the default.")

    def __call__(self, prediction: Prediction) -> Nodes:
        dtype = prediction.precision
        if not self.by_name:
            return Nodes.of(prediction, most_informative_above(prediction, log_bar(self.threshold, dtype)))
        thresholds = thresholds_by_node(prediction.taxonomy, self.threshold, self.by_name)
        distinct, place = np.unique(thresholds, return_inverse=True)
        bars = torch.tensor([log_bar(float(one), dtype) for one in distinct], dtype=dtype, device=prediction.device)
        bar = bars[torch.as_tensor(place.reshape(-1), device=prediction.device)]
        eligible = says_something(tree_index(prediction.taxonomy, prediction.device))
        found = above(prediction, eligible, float(bar.min()))
        return Nodes.of(prediction, most_informative(found.where(found.log_prob > bar[found.node])))

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """The common threshold, a probability; those by name are fixed."""
        return {"threshold": torch.tensor(self.threshold, dtype=torch.float64)}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Nodes:
        bar = in_log_space(numbers["threshold"], prediction.precision)
        if self.by_name:
            fixed = thresholds_by_node(prediction.taxonomy, torch.nan, self.by_name)
            by_node = torch.as_tensor(fixed, device=prediction.device)
            bar = torch.where(by_node.isnan(), bar, in_log_space(by_node, prediction.precision))
        return Nodes.of(prediction, dense_above(prediction, bar))


def thresholds_by_node(
    taxonomy: Taxonomy, common: float, by_name: Sequence[tuple[str, float]]
) -> Float[np.ndarray, " node"]:
    """The threshold of every node: of the deepest branch that it lies in, of its level, or the common one.

    Args:
        taxonomy: The label tree.
        common: The threshold of all other nodes.
        by_name: Thresholds of levels, by name or number, and of branches, by the label of a node.

    Raises:
        InputError: A name is neither a level nor a node of the taxonomy, or is both.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> thresholds_by_node(t, 0.9, [("level_2", 0.5), ("a/c", 0.7)]).tolist()
        [0.9, 0.9, 0.5, 0.7, 0.9]
    """
    values = np.full(taxonomy.num_nodes, common)
    branches: list[tuple[int, float]] = []
    for name, threshold in by_name:
        if name in taxonomy.level_names or name.isdigit():
            values[taxonomy.level == one_level(name, taxonomy)] = threshold
            if name in taxonomy.names:
                advice = "Name the node by its path from the top, or the level by its number."
                raise InputError("a level or a branch", f"{name!r}, which is both", advice=advice)
        else:
            branches.append((_branch(name, taxonomy), threshold))
    for node, threshold in sorted(branches):  # ancestors come before what is under them
        values[node : taxonomy.end[node]] = threshold
    return values


def _branch(name: str, taxonomy: Taxonomy) -> int:
    try:
        return int(taxonomy.find(name))
    except InputError as error:
        levels = ", ".join(taxonomy.level_names)
        raise InputError(f"a level ({levels}) or a node", repr(name), advice=str(error)) from None
