"""Diffusion of scores along the edges of the tree: a number of steps, or the limit as an exact solve.

:math:`I - \\alpha \\bar W` of a tree is eliminated from the leaves to the root without fill-in: the solve is one sweep
up and one down. Pivots are computed in double precision, once per taxonomy, rate and set of edge weights.

The compiled kernel sweeps node by node. Plain torch works depth by depth: nodes are rows in breadth-first order, so
that each depth is a slice, and so are its children.
"""

from __future__ import annotations

import dataclasses
import weakref
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag
from torch.utils.weak import WeakIdKeyDictionary

from cladewise.errors import InputError
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.relations import lca
from cladewise.taxonomy import Taxonomy
from cladewise.tracing import is_traced

CHUNK = 1 << 20
"""Values processed at a time on a CPU, so that both sweeps stay in the cache."""
LINE = 16
"""Images per chunk are a multiple of this, a cache line in single precision; other lengths cost 1.5 times as much."""
FEWEST = 8
"""Smallest number of images per chunk: shorter rows waste more than the cache saves."""

FloatArray = NDArray[np.float64]


def diffuse(
    values: Float[Tensor, "*batch node"],
    taxonomy: Taxonomy,
    alpha: float,
    *,
    steps: int = 0,
    weights: Float[Tensor, " child"] | None = None,
) -> Float[Tensor, "*batch node"]:
    r"""Diffuse values along the edges of the tree, with each node keeping a share of its own.

    .. math:: f^{t+1} = \alpha \bar W f^t + (1 - \alpha) f^0, \qquad
        f^* = (1 - \alpha) (I - \alpha \bar W)^{-1} f^0, \qquad \bar W = D^{-1/2} W D^{-1/2}

    where :math:`W` joins parents and children and :math:`D` are its row sums. The matrix is symmetric, so the gradient
    is the same solve. Costs two additions per node and image, for any ``alpha``.

    Args:
        values: One finite value per node, in at least single precision.
        taxonomy: The label tree.
        alpha: Share that comes from the neighbours, in [0, 1).
        steps: Steps of the iteration; 0 for the exact limit.
        weights: Positive weight of the edge above every node but the root, ``weights[i]`` for node ``i + 1``; all 1
            by default. They get no gradient.

    Raises:
        InputError: The rate, the number of steps or the weights are out of range, or the shape does not fit.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> diffuse(torch.tensor([0.0, 0.0, 2.0, 0.0]), t, 0.5, steps=1)
        tensor([0.0000, 0.5774, 1.0000, 0.0000])
        >>> diffuse(torch.tensor([0.0, 0.0, 2.0, 0.0]), t, 0.5)
        tensor([0.1111, 0.3849, 1.1111, 0.1111])
    """
    if not 0 <= alpha < 1:
        raise InputError("a diffusion rate alpha in [0, 1)", alpha)
    if steps < 0:
        raise InputError("a number of diffusion steps, or 0 for the limit", steps)
    if values.ndim == 0 or values.shape[-1] != taxonomy.num_nodes:
        raise InputError(f"values [*batch, {taxonomy.num_nodes}], one per node", f"shape {list(values.shape)}")
    sweeps = _sweeps(taxonomy, alpha, weights, values.device, values.dtype)
    rows = values.reshape(-1, taxonomy.num_nodes)
    spread = sweeps.traced(rows, steps) if is_traced() else _Diffuse.apply(rows, sweeps, steps)
    return spread.reshape(values.shape)


def diffusion_entries(
    first: Int[Tensor, "*batch"],
    second: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    alpha: float,
    *,
    weights: Float[Tensor, " child"] | None = None,
) -> Float[Tensor, "*batch"]:
    r"""Single entries of the matrix :math:`(1 - \alpha)(I - \alpha \bar W)^{-1}` of :func:`diffuse`, in float64.

    On a tree, the entry of two nodes is the diagonal entry of their lowest common ancestor times one factor per edge
    between them, so no column has to be solved for.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> diffusion_entries(torch.tensor([2, 2]), torch.tensor([2, 3]), t, 0.5)
        tensor([0.5556, 0.0556], dtype=torch.float64)
    """
    if not 0 <= alpha < 1:
        raise InputError("a diffusion rate alpha in [0, 1)", alpha)
    step, pivot = _eliminate(taxonomy, alpha, weights)
    share = step / pivot
    diagonal, log_share = 1 / pivot, np.log(np.maximum(share, np.finfo(np.float64).tiny))
    log_share[0] = 0.0
    for nodes in taxonomy.nodes_by_depth[1:]:
        above = taxonomy.parents[nodes]
        diagonal[nodes] += share[nodes] ** 2 * diagonal[above]
        log_share[nodes] += log_share[above]
    along, here = (torch.as_tensor(array, device=first.device) for array in (log_share, diagonal))
    top = lca(first, second, taxonomy)
    return (1 - alpha) * here[top] * torch.exp(along[first] + along[second] - 2 * along[top])


def _eliminate(taxonomy: Taxonomy, alpha: float, weights: Tensor | None) -> tuple[FloatArray, FloatArray]:
    """Minus the entry between each node and its parent, and the pivot of each node, eliminating the deepest first."""
    parents, count = taxonomy.parents, taxonomy.num_nodes
    edge = np.ones(count - 1) if weights is None else _checked(weights, count)
    degree = np.bincount(parents[1:], edge, count).astype(np.float64)  # bincount of an empty array returns integers
    degree[1:] += edge
    step, pivot = np.zeros(count), np.ones(count)
    step[1:] = alpha * edge / np.sqrt(degree[1:] * degree[parents[1:]])
    for nodes in taxonomy.nodes_by_depth[:0:-1]:
        np.subtract.at(pivot, parents[nodes], step[nodes] ** 2 / pivot[nodes])
    return step, pivot


def _checked(weights: Tensor, count: int) -> FloatArray:
    if weights.shape != (count - 1,):
        raise InputError(f"edge weights [{count - 1}], one per node below the root", f"shape {list(weights.shape)}")
    edge = weights.detach().double().cpu().numpy()
    wrong = np.flatnonzero(~((edge > 0) & np.isfinite(edge)))
    if wrong.size:
        raise InputError("positive, finite edge weights", edge[wrong[0]], at=f"node {wrong[0] + 1}")
    return edge


@dataclasses.dataclass(frozen=True, eq=False)
class _Level:
    """One depth, in breadth-first rows, as the children of the depth above."""

    above: slice
    here: slice
    parent: Int[Tensor, " child"]
    """Row of each child's parent within ``above``."""
    first_child: Int[Tensor, " parent"]
    rows: Int[Tensor, " child"]
    step: Float[Tensor, " child"]
    """Entry of the iteration's matrix between child and parent."""
    share: Float[Tensor, " child"]
    """Factor of the solve's sweeps: ``step`` divided by the child's pivot."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Sweeps:
    by_node: tuple[Tensor, Tensor, Tensor]
    """Parent, share and scale of every node."""
    order: Int[Tensor, " node"]
    """Node of each breadth-first row."""
    row: Int[Tensor, " node"]
    keep: float
    scale: Float[Tensor, "node 1"]
    levels: tuple[_Level, ...]

    def solve(self, rows: Tensor) -> Tensor:
        """Compute the limit in place."""
        for level in reversed(self.levels):
            rows[level.above].add_(_to_parents(rows[level.here], level, level.share))
        rows.mul_(self.scale)
        for level in self.levels:
            rows[level.here].addcmul_(rows[level.above].index_select(0, level.parent), level.share[:, None])
        return rows

    def iterate(self, rows: Tensor, steps: int) -> Tensor:
        """Iterate a number of steps, starting from the rows."""
        now, kept = rows, rows * self.keep
        for _ in range(steps):
            after = kept.clone()
            for level in self.levels:
                after[level.above].add_(_to_parents(now[level.here], level, level.step))
                after[level.here].addcmul_(now[level.above].index_select(0, level.parent), level.step[:, None])
            now = after
        return now

    def traced(self, values: Float[Tensor, "image node"], steps: int) -> Float[Tensor, "image node"]:
        """A number of steps, or the limit for 0, by operations that an exporter can trace."""
        rows = values.t().index_select(0, self.order)
        slices = [self.levels[0].above, *(level.here for level in self.levels)] if self.levels else [slice(0, 1)]
        now = [rows[part] for part in slices]
        if not steps:
            for depth, level in reversed(list(enumerate(self.levels, 1))):
                now[depth - 1] = now[depth - 1].index_add(0, level.parent, now[depth] * level.share[:, None])
            now = [part * self.scale[place] for part, place in zip(now, slices, strict=True)]
            for depth, level in enumerate(self.levels, 1):
                now[depth] = now[depth] + now[depth - 1].index_select(0, level.parent) * level.share[:, None]
        kept = [part * self.keep for part in now]
        for _ in range(steps):
            after = list(kept)
            for depth, level in enumerate(self.levels, 1):
                after[depth - 1] = after[depth - 1].index_add(0, level.parent, now[depth] * level.step[:, None])
                after[depth] = after[depth] + now[depth - 1].index_select(0, level.parent) * level.step[:, None]
            now = after
        return torch.cat(now).index_select(0, self.row).t()


def _to_parents(children: Tensor, level: _Level, factor: Tensor) -> Tensor:
    return embedding_bag(level.rows, children, level.first_child, mode="sum", per_sample_weights=factor)


class _Diffuse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, sweeps: _Sweeps, steps: int) -> Tensor:
        ctx.sweeps, ctx.steps = sweeps, steps
        images, nodes = values.shape
        out = values.new_empty(images, nodes)
        if not steps and has_kernels(values):
            by_rows("tree_solve_rows", values, *sweeps.by_node, out)
            return out
        size = max(1, images) if values.is_cuda else max(FEWEST, CHUNK // nodes // LINE * LINE)
        for start in range(0, images, size):
            part = slice(start, start + size)
            rows = values[part].t().contiguous().index_select(0, sweeps.order)
            rows = sweeps.iterate(rows, steps) if steps else sweeps.solve(rows)
            out[part] = rows.index_select(0, sweeps.row).t()
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _Diffuse.apply(grads[0], ctx.sweeps, ctx.steps), None, None


_Key = tuple[float, torch.device, torch.dtype, int]
_CACHE: weakref.WeakKeyDictionary[Taxonomy, dict[_Key, _Sweeps]] = weakref.WeakKeyDictionary()
_WEIGHTED: weakref.WeakKeyDictionary[Taxonomy, Any] = weakref.WeakKeyDictionary()


def _sweeps(
    taxonomy: Taxonomy, alpha: float, weights: Tensor | None, device: torch.device, dtype: torch.dtype
) -> _Sweeps:
    """The sweeps for a taxonomy, rate and weights, cached for the lifetime of taxonomy and weights."""
    if weights is None:
        held, version = _CACHE.setdefault(taxonomy, {}), 0
    else:  # tensors are compared by identity; the version detects in-place changes
        by_weights = _WEIGHTED.setdefault(taxonomy, WeakIdKeyDictionary())
        held = by_weights.setdefault(weights, {})
        version = 0 if weights.is_inference() else weights._version
    key = (alpha, device, dtype, version)
    if key not in held:
        held[key] = _build(taxonomy, alpha, weights, device, dtype)
    return held[key]


def _build(
    taxonomy: Taxonomy, alpha: float, weights: Tensor | None, device: torch.device, dtype: torch.dtype
) -> _Sweeps:
    step, pivot = _eliminate(taxonomy, alpha, weights)
    share = step / pivot
    order = np.concatenate(taxonomy.nodes_by_depth)
    row = np.empty_like(order)
    row[order] = np.arange(order.size)
    stops = np.cumsum([len(nodes) for nodes in taxonomy.nodes_by_depth]).tolist()
    starts = [0, *stops[:-1]]

    def real(array: FloatArray) -> Tensor:
        return torch.tensor(array, dtype=dtype, device=device)

    def whole(array: NDArray[np.int64]) -> Tensor:
        return torch.tensor(array, dtype=torch.int64, device=device)

    def level(depth: int) -> _Level:
        nodes, above = taxonomy.nodes_by_depth[depth], slice(starts[depth - 1], starts[depth])
        parent = row[taxonomy.parents[nodes]] - above.start  # ascending: siblings are adjacent
        return _Level(
            above=above,
            here=slice(starts[depth], stops[depth]),
            parent=whole(parent),
            first_child=whole(np.searchsorted(parent, np.arange(above.stop - above.start))),
            rows=whole(np.arange(len(nodes))),
            step=real(step[nodes]),
            share=real(share[nodes]),
        )

    return _Sweeps(
        by_node=(whole(taxonomy.parents), real(share), real((1 - alpha) / pivot)),
        order=whole(order),
        row=whole(row),
        keep=1 - alpha,
        scale=real((1 - alpha) / pivot[order])[:, None],
        levels=tuple(level(depth) for depth in range(1, len(stops))),
    )
