"""Which of several processes this is."""

from __future__ import annotations

from lightning.fabric.utilities.rank_zero import rank_zero_only


def rank() -> int:
    """Number of this process among those that train together; 0 where it is alone."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)


def is_first_process() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0
