"""Tree arithmetic on tensors: sums and log-sum-exps over subtrees, paths and siblings; lowest common ancestors."""

from cladewise.ops.graph_relations import (
    common_at_level,
    covers,
    full_height,
    further_pairs,
    is_further_ancestor,
    meet,
    most_informative_common,
    num_common_ancestors,
    num_leaves_covered,
    share_parents,
)
from cladewise.ops.grouped import grouped_logsumexp
from cladewise.ops.index import DepthIndex, TreeIndex, tree_index
from cladewise.ops.kernels import has_kernels, without_kernels
from cladewise.ops.logarithms import expm1, log1p, log_add, log_sigmoid
from cladewise.ops.nested import nested_logsumexp
from cladewise.ops.outside import sum_outside, sums_outside
from cladewise.ops.path import Domain, path_logsumexp
from cladewise.ops.precision import at_least_float
from cladewise.ops.relations import ancestors, at_levels, is_ancestor, lca, lca_height, level_table, path_table, speaks
from cladewise.ops.siblings import path_sibling_nll, sibling_log_softmax
from cladewise.ops.solve import diffuse, diffusion_entries
from cladewise.ops.subtree import (
    leaf_logsumexp,
    leaf_path_sum,
    leaf_subtree_sum,
    path_min,
    path_sum,
    subtree_logsumexp,
    subtree_max,
    subtree_sum,
)
from cladewise.ops.tempering import log_complement, log_odds, tempered
from cladewise.ops.transition import (
    LowRank,
    TransitionEdges,
    full_transition,
    full_transition_sum,
    low_rank_transition,
    low_rank_transition_sum,
)

__all__ = [
    "DepthIndex",
    "Domain",
    "LowRank",
    "TransitionEdges",
    "TreeIndex",
    "ancestors",
    "at_least_float",
    "at_levels",
    "common_at_level",
    "covers",
    "diffuse",
    "diffusion_entries",
    "expm1",
    "full_height",
    "full_transition",
    "full_transition_sum",
    "further_pairs",
    "grouped_logsumexp",
    "has_kernels",
    "is_ancestor",
    "is_further_ancestor",
    "lca",
    "lca_height",
    "leaf_logsumexp",
    "leaf_path_sum",
    "leaf_subtree_sum",
    "level_table",
    "log1p",
    "log_add",
    "log_complement",
    "log_odds",
    "log_sigmoid",
    "low_rank_transition",
    "low_rank_transition_sum",
    "meet",
    "most_informative_common",
    "nested_logsumexp",
    "num_common_ancestors",
    "num_leaves_covered",
    "path_logsumexp",
    "path_min",
    "path_sibling_nll",
    "path_sum",
    "path_table",
    "share_parents",
    "sibling_log_softmax",
    "speaks",
    "subtree_logsumexp",
    "subtree_max",
    "subtree_sum",
    "sum_outside",
    "sums_outside",
    "tempered",
    "tree_index",
    "without_kernels",
]
