"""The rank of this process in distributed training."""

from __future__ import annotations

from lightning.fabric.utilities.rank_zero import rank_zero_only


def rank() -> int:
    """Rank of this process among those that train together; 0 without distributed training."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)


def is_first_process() -> bool:
    """Whether this process has rank 0, the only one that writes files."""
    return rank() == 0
