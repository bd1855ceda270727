"""HACE-smooth: HACE over a label that is first smoothed over the leaves."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.methods.hace import HACEMethod
from cladewise.methods.method import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACESmoothMethod(HACEMethod):
    """HACE with a tenth of the target spread over the other leaves."""

    name: ClassVar[str] = "hace-smooth"
    title: ClassVar[str] = "HACE with label smoothing"

    smoothing: float = option(0.1, "share of the target spread sideways before it is spread up, in [0, 1)", grid=(0.1,))
