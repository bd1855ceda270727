"""Decisions: rules from a prediction over nodes to an answer, one rule per module."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts
from cladewise.decisions.backtrack import Backtrack
from cladewise.decisions.boundary import Boundary
from cladewise.decisions.climbing import Climbing, climbing_sequence
from cladewise.decisions.conformal import Conformal
from cladewise.decisions.consistent import Consistent
from cladewise.decisions.crm import CRM
from cladewise.decisions.decision import Answer, Decision, LabelSets, LevelNodes, Nodes, Promise
from cladewise.decisions.exclusive_mass import ExclusiveMass
from cladewise.decisions.expected_information import ExpectedInformation
from cladewise.decisions.greedy import Greedy
from cladewise.decisions.hedged_expectation import HedgedExpectation
from cladewise.decisions.hedged_majority import HedgedMajority
from cladewise.decisions.hedging import Hedging
from cladewise.decisions.leaf import Leaf
from cladewise.decisions.leaf_or_root import LeafOrRoot
from cladewise.decisions.level_argmax import Levels
from cladewise.decisions.majority import Majority
from cladewise.decisions.new_class import NewClass, place_under
from cladewise.decisions.node_argmax import NodeArgmax
from cladewise.decisions.optimal import Optimal
from cladewise.decisions.pareto import OperatingPoint, ParetoSequence, pareto_sequence
from cladewise.decisions.plurality import Plurality
from cladewise.decisions.threshold import Threshold

__all__ = [
    "CRM",
    "Answer",
    "Backtrack",
    "Boundary",
    "Climbing",
    "Conformal",
    "Consistent",
    "Decision",
    "ExclusiveMass",
    "ExpectedInformation",
    "Greedy",
    "HedgedExpectation",
    "HedgedMajority",
    "Hedging",
    "LabelSets",
    "Leaf",
    "LeafOrRoot",
    "LevelNodes",
    "Levels",
    "Majority",
    "NewClass",
    "NodeArgmax",
    "Nodes",
    "OperatingPoint",
    "Optimal",
    "ParetoSequence",
    "Plurality",
    "Promise",
    "Threshold",
    "available",
    "climbing_sequence",
    "make",
    "pareto_sequence",
    "place_under",
]


def available() -> dict[str, type[Decision]]:
    """All decisions by name, including those of other distributions.

    Example:
        >>> available()["leaf"].__name__, "majority" in available()
        ('Leaf', True)
    """
    return named_parts(sys.modules[__name__], Decision)


def make(name: str, **parameters: Any) -> Decision:
    """Create a decision by name, with its parameters.

    Raises:
        InputError: No such decision or parameter.

    Example:
        >>> make("threshold", threshold=0.8)
        Threshold(threshold=0.8, by_name=())
    """
    return make_part(available(), "decision", name, parameters)
