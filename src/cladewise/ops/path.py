"""Log-sum-exps at every ancestor of a target: the basis of losses with targets on one path."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.ops.index import tree_index
from cladewise.ops.nested import nested_logsumexp
from cladewise.ops.relations import ancestors
from cladewise.taxonomy import Taxonomy

Domain = Literal["leaves", "nodes", "nodes-without-root"]
"""The scored nodes: the leaves, all nodes, or all but the root (``scores[..., i]`` is node ``i + 1``)."""


def path_logsumexp(
    scores: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy, domain: Domain = "leaves"
) -> Float[Tensor, "*batch depth"]:
    r"""Log-sum-exp of the scored nodes at or under each ancestor of the target, root first.

    .. math:: y_k = \log \sum_{u \in De(a_k(t))} e^{z_u}

    where :math:`a_k(t)` is the target's ancestor at depth ``k``. Positions below the target repeat the target's value,
    so that differences there are zero. Costs O(out + depth) per image, without a vector over the nodes.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> path_logsumexp(torch.zeros(2, 3), torch.tensor([2, 4]), t).exp().round().tolist()
        [[3.0, 2.0, 1.0], [3.0, 1.0, 1.0]]
    """
    widths = {"leaves": taxonomy.num_leaves, "nodes": taxonomy.num_nodes, "nodes-without-root": taxonomy.num_nodes - 1}
    if domain not in widths:
        raise InputError(f"a domain among {', '.join(get_args(Domain))}", repr(domain))
    if scores.shape[-1] != widths[domain] or scores.shape[:-1] != target.shape:
        raise InputError(
            f"scores [*batch, {widths[domain]}] and targets [*batch]",
            f"shapes {list(scores.shape)} and {list(target.shape)}",
        )
    index = tree_index(taxonomy, scores.device)
    flat = target.reshape(-1)
    path = ancestors(flat, taxonomy)
    path = torch.where(path >= 0, path, flat[:, None])
    if domain == "leaves":
        starts, ends = index.leaf_start[path], index.leaf_end[path]
    elif domain == "nodes":
        starts, ends = path, index.end[path]
    else:
        starts, ends = (path - 1).clamp(min=0), index.end[path] - 1
    nested = nested_logsumexp(scores.reshape(flat.numel(), widths[domain]), starts, ends)
    return nested.reshape(*target.shape, path.shape[1])
