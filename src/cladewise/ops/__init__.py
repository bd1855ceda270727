"""Tree arithmetic on tensors: sums and log-sum-exps over subtrees and paths, lowest common ancestors."""

from cladewise.ops.index import TreeIndex, tree_index
from cladewise.ops.precision import at_least_float
from cladewise.ops.subtree import leaf_logsumexp, subtree_logsumexp

__all__ = ["TreeIndex", "at_least_float", "leaf_logsumexp", "subtree_logsumexp", "tree_index"]
