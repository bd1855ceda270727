"""M-PLC: classifiers a level that only choose among the children of the choice above."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Greedy
from cladewise.methods.hs import HierarchicalSoftmaxMethod


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedPLCMethod(HierarchicalSoftmaxMethod):
    """A choice among the children of the choice before it, from the root down to a leaf.

    It trains as ``hs`` does, and differs from it in its answer: the best child of each step is kept, whatever lies
    below it.
    """

    name: ClassVar[str] = "m-plc"
    title: ClassVar[str] = "Masked per-level classifier (M-PLC)"

    def decision(self) -> Decision:
        return Greedy()
