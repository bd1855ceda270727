"""Rows cut into segments: sums over segments, and values expanded back to them."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

BLOCK = 32
"""Number of adjacent values that are summed together unless a cut runs through them."""


@dataclasses.dataclass(frozen=True)
class Segments:
    """The segments into which nested ranges cut rows: whole blocks, and single values from the blocks that are cut.

    The segments of a row are consecutive: ``num_ranges`` of them from the left, then the right halves of the rings.
    """

    num_rows: int
    num_segments: int
    num_blocks: int
    singles: Int[Tensor, " single"]
    """Flat indices of the single values, by row and segment."""
    num_singles: Int[Tensor, " bound"]
    runs: Int[Tensor, " run"]
    """Alternating: number of whole blocks in a segment, and of cut blocks before the next segment."""

    @classmethod
    def between(cls, width: int, starts: Int[Tensor, "row range"], ends: Int[Tensor, "row range"]) -> Segments:
        """Cut rows of ``width`` values at the bounds of nested ranges, the first of which is the whole row."""
        bounds = torch.cat([starts, ends.flip(1)], dim=1)
        begin, stop = bounds[:, :-1], bounds[:, 1:]
        first = (begin + (BLOCK - 1)) // BLOCK
        last = stop // BLOCK  # whole blocks are [first, last)
        head_stop = torch.minimum(stop, first * BLOCK)
        tail_begin = torch.maximum(last * BLOCK, head_stop)
        length = torch.stack([head_stop - begin, stop - tail_begin], dim=-1)
        row_begin = width * torch.arange(starts.shape[0], device=starts.device)[:, None, None]
        run_begin = torch.stack([begin, tail_begin], dim=-1) + row_begin
        flat = length.reshape(-1)
        offset = (run_begin.reshape(-1) - (flat.cumsum(0) - flat)).repeat_interleave(flat)

        num_blocks = width // BLOCK
        first = first.clamp(max=num_blocks)
        whole = (last - first).clamp(min=0)
        next_first = torch.cat([first[:, 1:], torch.full_like(first[:, :1], num_blocks)], dim=1)
        return cls(
            num_rows=starts.shape[0],
            num_segments=begin.shape[1],
            num_blocks=num_blocks,
            singles=offset + torch.arange(offset.numel(), device=starts.device),
            num_singles=length.sum(-1).reshape(-1),
            runs=torch.stack([whole, next_first - first - whole], dim=-1).reshape(-1),
        )

    def sum(
        self, blocks: Float[Tensor, "row block"], singles: Float[Tensor, " single"]
    ) -> Float[Tensor, "row segment"]:
        """Sum over every segment of the values of its blocks and its single values."""
        of_blocks = torch.segment_reduce(blocks.flatten(), "sum", lengths=self.runs, unsafe=True)[::2]
        of_singles = torch.segment_reduce(singles, "sum", lengths=self.num_singles, unsafe=True)
        return (of_blocks + of_singles).view(self.num_rows, self.num_segments)

    def logsumexp(
        self, blocks: Float[Tensor, "row block"], singles: Float[Tensor, " single"]
    ) -> Float[Tensor, "row segment"]:
        """Log-sum-exp over every segment of its blocks' own log-sum-exps and its single values."""
        of_blocks = _logsumexp(blocks.flatten(), self.runs)[::2]
        of_singles = _logsumexp(singles, self.num_singles)
        return torch.logaddexp(of_blocks, of_singles).view(self.num_rows, self.num_segments)

    def spread_to_blocks(self, by_segment: Float[Tensor, "row segment"], cut: float) -> Float[Tensor, "row block"]:
        """The value of each block's segment, or ``cut`` for a block that is not whole in one."""
        pairs = torch.stack([by_segment, torch.full_like(by_segment, cut)], dim=-1).flatten()
        size = self.num_rows * self.num_blocks
        return pairs.repeat_interleave(self.runs, output_size=size).view(self.num_rows, self.num_blocks)

    def spread_to_singles(self, by_segment: Float[Tensor, "row segment"]) -> Float[Tensor, " single"]:
        """The value of each single value's segment."""
        return by_segment.flatten().repeat_interleave(self.num_singles, output_size=self.singles.numel())


def _logsumexp(values: Tensor, lengths: Tensor) -> Tensor:
    peak = torch.segment_reduce(values, "max", lengths=lengths, unsafe=True)
    peak = peak.masked_fill(peak == -torch.inf, 0.0)  # an empty segment: log(0), not nan
    share = torch.exp(values - peak.repeat_interleave(lengths, output_size=values.numel()))
    return peak + torch.segment_reduce(share, "sum", lengths=lengths, unsafe=True).log()
