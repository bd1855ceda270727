"""Kernels in numba: the operations of :mod:`cladewise.ops` for rows ``first`` to ``last`` of arrays, written in place.

:mod:`cladewise.ops.kernels` alone imports it, since numba is optional and slow to load. Each file of kernels has the
name of the module that calls them. All log-sum-exps are relative to the largest value of their own range, so no input
needs another way.

They are fast because LLVM vectorises the inner loops. To let it, exponentials and logarithms are polynomials
(``exponentials``), maxima compare floats by the integers of their bits (``reductions``), loops run over slices from 0,
and both operands of a condition are read before it. Recursions from node to node along a row cannot be vectorised, so
there ``ROWS`` rows are processed side by side in a *tile*: one line of ``ROWS`` values per node, stored consecutively
(``lines``, ``tiles``).
"""

from cladewise.ops.compiled.focal import focal_rows
from cladewise.ops.compiled.frame import frame_path_rows
from cladewise.ops.compiled.log_mass import ring_log_mass_rows, ring_weights_rows
from cladewise.ops.compiled.nested import nested_logsumexp_gradient_rows, nested_logsumexp_rows
from cladewise.ops.compiled.random_cut import random_cut_rows
from cladewise.ops.compiled.relations import lca_rows
from cladewise.ops.compiled.rings import ring_logsumexp_gradient_rows, ring_logsumexp_rows
from cladewise.ops.compiled.siblings import (
    path_sibling_nll_gradient_rows,
    path_sibling_nll_rows,
    sibling_log_softmax_gradient_rows,
    sibling_log_softmax_rows,
)
from cladewise.ops.compiled.solve import tree_solve_rows
from cladewise.ops.compiled.subtree import (
    path_sum_rows,
    subtree_logsumexp_gradient_rows,
    subtree_logsumexp_rows,
    subtree_sum_rows,
)
from cladewise.ops.compiled.transition import low_rank_gradient_rows, low_rank_rows

__all__ = [
    "focal_rows",
    "frame_path_rows",
    "lca_rows",
    "low_rank_gradient_rows",
    "low_rank_rows",
    "nested_logsumexp_gradient_rows",
    "nested_logsumexp_rows",
    "path_sibling_nll_gradient_rows",
    "path_sibling_nll_rows",
    "path_sum_rows",
    "random_cut_rows",
    "ring_log_mass_rows",
    "ring_logsumexp_gradient_rows",
    "ring_logsumexp_rows",
    "ring_weights_rows",
    "sibling_log_softmax_gradient_rows",
    "sibling_log_softmax_rows",
    "subtree_logsumexp_gradient_rows",
    "subtree_logsumexp_rows",
    "subtree_sum_rows",
    "tree_solve_rows",
]
