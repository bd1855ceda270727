"""Decisions of a run that answers in another tree than the one it was trained to answer in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Self

import polars as pl
import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.inference.columns import bound_to, needs_columns, notes_on
from cladewise.ops import at_levels
from cladewise.predictions import CarriedPrediction, Prediction
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Translated(Decision):
    """A decision made in the old tree, with the answer translated into the new one.

    An image that was answered with a node is answered with the place of that node, so that an answer about classes that
    did not change does not change either. Only if something was moved out of the answered node, so that the new one
    holds less than was decided on, the rule decides again, by the probabilities in the new tree.

    Args:
        rule: The decision, fitted in the old tree.
        keeps_promise: Whether nothing was moved out of any node, so that a promised share of right answers still holds.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.decisions import Leaf
        >>> from cladewise.predictions import LeafSoftmax
        >>> from cladewise.taxonomy.carry_over import CarryOver
        >>> from cladewise.taxonomy.correspondence import Correspondence
        >>> old = Taxonomy.from_paths([("owl", "barn owl"), ("wren",)])
        >>> new = Taxonomy.from_paths([("owl", "American barn owl"), ("owl", "Western barn owl"), ("wren",)])
        >>> found = Correspondence.from_pairs(old, new, [(1, 1), (2, 2), (2, 3), (3, 4)])
        >>> before = LeafSoftmax(old, torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        >>> Translated(Leaf())(CarriedPrediction.of(before, CarryOver.of(found))).node
        tensor([1, 4])
    """

    name: ClassVar[str] = "translated"

    rule: Decision
    keeps_promise: bool = True

    @property
    def handle(self) -> str:
        return self.rule.handle

    @property
    def promise(self) -> float | None:
        return self.rule.promise if self.keeps_promise else None

    @property
    def needs_columns(self) -> bool:
        """Whether the decision needs further columns of the images."""
        return needs_columns(self.rule)

    def bound(self, columns: pl.DataFrame) -> Self:
        """The rule bound to the columns of some images.

        Raises:
            InputError: A column is missing.
        """
        return dataclasses.replace(self, rule=bound_to(self.rule, columns))

    def notes(self, columns: pl.DataFrame, taxonomy: Taxonomy) -> tuple[str, ...]:
        """Sentences about images that the decision's inferences leave as they are.

        Args:
            columns: The columns of the images.
            taxonomy: The old tree.
        """
        return notes_on(self.rule, columns, taxonomy)

    @property
    def final(self) -> Translated:
        return dataclasses.replace(self, rule=self.rule.final)

    def decided_on(self, prediction: Prediction) -> Prediction:
        carried = _carried(prediction)
        seen = self.rule.decided_on(carried.before)
        return prediction if seen is carried.before else CarriedPrediction.of(seen, carried.carry_over)

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        carried = _carried(prediction)
        return _places(carried)[self.rule.order(carried.before, k)]

    def __call__(self, prediction: Prediction) -> Answer:
        carried = _carried(prediction)
        answer, place = self.rule(carried.before), _places(carried)
        if isinstance(answer, Nodes):
            return self._of_nodes(carried, answer, place)
        if isinstance(answer, LevelNodes):
            return _of_levels(carried, answer, place)
        chosen = torch.zeros_like(carried.log_prob, dtype=torch.int64)
        chosen = chosen.index_add(-1, place, answer.chosen.long()) > 0
        return LabelSets(chosen, carried.log_prob)

    @property
    def is_traceable(self) -> bool:
        return self.rule.is_traceable

    @property
    def adjustable(self) -> dict[str, Tensor]:
        return self.rule.adjustable

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Answer:
        carried = _carried(prediction)
        answer, place = self.rule.traced(carried.before, numbers), _places(carried)
        if not isinstance(answer, Nodes):
            raise InputError("a migrated run with one node per image in a graph", f"the answers of {self.rule.name}")
        keeps = carried.carry_over.keeps_content
        node, new = place[answer.node], answer.new
        if not keeps.all():
            again = self.rule.traced(carried, numbers)
            kept = torch.as_tensor(keeps.copy(), device=node.device)[answer.node]
            if isinstance(again, Nodes):
                node = torch.where(kept, node, again.node)
                new = None if new is None or again.new is None else torch.where(kept, new, again.new)
        return Nodes(node, carried.log_prob_of(node[..., None]).squeeze(-1), new)

    def _of_nodes(self, carried: CarriedPrediction, answer: Nodes, place: Tensor) -> Nodes:
        node, new = place[answer.node], answer.new
        kept = torch.as_tensor(carried.carry_over.keeps_content.copy(), device=node.device)[answer.node]
        if not bool(kept.all()):
            again = self.rule(carried)
            if isinstance(again, Nodes):
                node = torch.where(kept, node, again.node)
                new = None if new is None or again.new is None else torch.where(kept, new, again.new)
        return Nodes(node, carried.log_prob_of(node[..., None]).squeeze(-1), new)


def _carried(prediction: Prediction) -> CarriedPrediction:
    if not isinstance(prediction, CarriedPrediction):
        raise InputError("a prediction that was carried into another tree", type(prediction).__name__)
    return prediction


def _places(carried: CarriedPrediction) -> Int[Tensor, " old_node"]:
    return torch.as_tensor(carried.carry_over.place.copy(), device=carried.device)


def _of_levels(carried: CarriedPrediction, answer: LevelNodes, place: Tensor) -> LevelNodes:
    """The answer at each new level: that of the old level of its name, or else the finest one, no finer than it.

    The finest new level has the finest answer, whatever it is called.
    """
    old, new = carried.carry_over.before.level_names, carried.carry_over.after.level_names
    nodes = place[answer.node]
    levels = [old.index(name) if name in old[:-1] else len(old) - 1 for name in new[:-1]]
    levels += [len(old) - 1] * bool(new)
    columns = [at_levels(nodes[..., k], carried.taxonomy)[..., level] for level, k in enumerate(levels)]
    node = torch.stack(columns, -1)
    return LevelNodes(node, carried.log_prob_of(node))
