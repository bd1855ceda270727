"""Relations of nodes that count every ancestor, where nodes have several parents; those of the tree where none has.

The further ancestors are looked up on the CPU. In a tree nothing is: the functions are those of
:mod:`~cladewise.ops.relations`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.ops.index import tree_index
from cladewise.ops.relations import is_ancestor, lca
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.several_parents import least

IntArray = NDArray[np.int64]


def covers(ancestor: Int[Tensor, "*batch"], node: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Bool[Tensor, "*batch"]:
    """Whether ``node`` is ``ancestor`` or lies under it through any parents, elementwise with broadcasting.

    Example:
        >>> t = Taxonomy([-1, 0, 0, 2], ["food", "fruit", "vegetable", "tomato"], further_parents=[(3, 1)])
        >>> covers(torch.tensor([1, 2, 3]), torch.tensor([3, 3, 1]), t)
        tensor([ True,  True, False])
    """
    if not taxonomy.has_further_parents:
        return is_ancestor(ancestor, node, taxonomy)
    return _like(taxonomy.covers(_numpy(ancestor), _numpy(node)), ancestor)


def is_further_ancestor(
    ancestor: Int[Tensor, "*batch"], node: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Bool[Tensor, "*batch"]:
    """Whether ``ancestor`` is above ``node``, but not on its path in the primary tree.

    Example:
        >>> t = Taxonomy([-1, 0, 0, 2], ["food", "fruit", "vegetable", "tomato"], further_parents=[(3, 1)])
        >>> is_further_ancestor(torch.tensor([1, 2]), torch.tensor([3, 3]), t)
        tensor([ True, False])
    """
    above, below = torch.broadcast_tensors(ancestor, node)
    if not taxonomy.has_further_parents:
        return torch.zeros_like(above, dtype=torch.bool)
    return _like(taxonomy.further_ancestors.has(_numpy(above), _numpy(below)), ancestor)


def meet(first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Int[Tensor, "*batch"]:
    """Common ancestor of least height, through any parents; see :meth:`Taxonomy.meet`.

    Example:
        >>> names = ["food", "fruit", "fig", "vegetable", "tomato"]
        >>> t = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1)])
        >>> meet(torch.tensor([4, 4]), torch.tensor([2, 3]), t)
        tensor([1, 3])
    """
    if not taxonomy.has_further_parents:
        return lca(first, second, taxonomy)
    return _like(taxonomy.meet(_numpy(first), _numpy(second)), first)


def most_informative_common(
    first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Int[Tensor, "*batch"]:
    r"""Common ancestor with the fewest leaves below it, through any parents: the most informative one.

    .. math:: \operatorname*{arg\,max}_{a \in A(u) \cap A(v)} \log_2 \frac{L}{|B(a)|}

    Of equally informative ones it is the lowest common ancestor in the primary tree, otherwise the first.

    Example:
        >>> names = ["food", "fruit", "fig", "vegetable", "tomato", "kale"]
        >>> t = Taxonomy([-1, 0, 1, 0, 3, 3], names, further_parents=[(4, 1)])
        >>> most_informative_common(torch.tensor([4]), torch.tensor([2]), t)
        tensor([1])

    References:
        Resnik, Using information content to evaluate semantic similarity in a taxonomy, IJCAI 1995.
    """
    found = lca(first, second, taxonomy)
    if not taxonomy.has_further_parents:
        return found
    leaves, best = taxonomy.num_leaves_covered, _numpy(found).ravel().copy()
    for pair, above in _common(first, second, taxonomy):
        pair, key = least(pair, leaves[above] * taxonomy.num_nodes + above)
        count, node = np.divmod(key, taxonomy.num_nodes)
        best[pair] = np.where(count < leaves[best[pair]], node, best[pair])
    return _like(best.reshape(found.shape), first)


def num_common_ancestors(
    first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Int[Tensor, "*batch"]:
    """Number of nodes at or above both, through any parents and without the root; the depth of the LCA in a tree.

    Example:
        >>> names = ["food", "fruit", "fig", "vegetable", "tomato"]
        >>> t = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1)])
        >>> num_common_ancestors(torch.tensor([4, 4]), torch.tensor([4, 2]), t)
        tensor([3, 1])
    """
    found = tree_index(taxonomy, first.device).depth[lca(first, second, taxonomy)]
    if not taxonomy.has_further_parents:
        return found
    count = _numpy(found).ravel().copy()
    for pair, _ in _common(first, second, taxonomy):
        count += np.bincount(pair, minlength=count.size)
    return _like(count.reshape(found.shape), first)


def common_at_level(
    first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Bool[Tensor, "*batch level"]:
    """Whether two nodes have a common ancestor in each level that is not on both their paths in the primary tree.

    Example:
        >>> names = ["food", "fruit", "fig", "vegetable", "tomato"]
        >>> t = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1)])
        >>> common_at_level(torch.tensor([4]), torch.tensor([2]), t)
        tensor([[ True, False]])
    """
    shape = torch.broadcast_shapes(first.shape, second.shape)
    found = np.zeros((int(np.prod(shape)), taxonomy.num_levels + 1), dtype=np.bool_)
    if taxonomy.has_further_parents:
        for pair, above in _common(first, second, taxonomy):
            found[pair, taxonomy.level[above]] = True
    return _like(found[:, 1:].reshape(*shape, taxonomy.num_levels), first)


def share_parents(
    first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Bool[Tensor, "*batch"]:
    """Whether two nodes have a parent in common, the root with itself; elementwise with broadcasting.

    Example:
        >>> names = ["food", "fruit", "fig", "vegetable", "tomato"]
        >>> t = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1)])
        >>> share_parents(torch.tensor([4, 3]), torch.tensor([2, 2]), t)
        tensor([ True, False])
    """
    index = tree_index(taxonomy, first.device)
    one, other = torch.broadcast_tensors(first, second)
    same = index.parents[one] == index.parents[other]
    if not taxonomy.has_further_parents:
        return same
    edges = taxonomy.further_parents
    size, shared = taxonomy.num_nodes, same.cpu().numpy().ravel().copy()
    keys = np.sort(np.concatenate([np.arange(1, size) * size + taxonomy.parents[1:], edges[:, 0] * size + edges[:, 1]]))
    start = np.searchsorted(keys, np.arange(size + 1) * size)
    u, v = _numpy(one).ravel(), _numpy(other).ravel()
    for place in range(int(np.diff(start).max())):  # the first parent of every first node, then the second, ...
        pair = np.flatnonzero(start[u + 1] - start[u] > place)
        wanted = v[pair] * size + keys[start[u[pair]] + place] % size
        found = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        shared[pair] |= keys[found] == wanted
    return _like(shared.reshape(one.shape), first)


def further_pairs(
    nodes: Int[Tensor, " batch"], taxonomy: Taxonomy
) -> tuple[Int[Tensor, "2 above"], Int[Tensor, "2 below"]]:
    """Pairs of a position in ``nodes`` and a further ancestor of the node there, and the same with descendants.

    Example:
        >>> t = Taxonomy([-1, 0, 0, 2], ["food", "fruit", "vegetable", "tomato"], further_parents=[(3, 1)])
        >>> above, below = further_pairs(torch.tensor([3, 1]), t)
        >>> above.tolist(), below.tolist()
        ([[0], [1]], [[1], [3]])
    """
    further, places = taxonomy.further_ancestors, _numpy(nodes)
    return _like(np.stack(further.above(places)), nodes), _like(np.stack(further.below(places)), nodes)


def full_height(taxonomy: Taxonomy, device: torch.device | str) -> Int[Tensor, " node"]:
    """:attr:`Taxonomy.full_height` as a tensor.

    Example:
        >>> full_height(Taxonomy.from_paths([("a", "b")]), "cpu")
        tensor([2, 1, 0])
    """
    if not taxonomy.has_further_parents:
        return tree_index(taxonomy, device).height
    return torch.tensor(taxonomy.full_height, device=device)


def num_leaves_covered(taxonomy: Taxonomy, device: torch.device | str) -> Int[Tensor, " node"]:
    """:attr:`Taxonomy.num_leaves_covered` as a tensor.

    Example:
        >>> num_leaves_covered(Taxonomy.from_paths([("a", "b"), ("a", "c")]), "cpu")
        tensor([2, 2, 1, 1])
    """
    if not taxonomy.has_further_parents:
        return tree_index(taxonomy, device).num_leaves_under
    return torch.tensor(taxonomy.num_leaves_covered, device=device)


def _common(first: Tensor, second: Tensor, taxonomy: Taxonomy) -> Iterator[tuple[IntArray, IntArray]]:
    u, v = np.broadcast_arrays(_numpy(first), _numpy(second))
    return taxonomy.further_ancestors.common(u.ravel(), v.ravel())


def _numpy(nodes: Tensor) -> IntArray:
    return nodes.detach().cpu().numpy().astype(np.int64, copy=False)


def _like(values: NDArray[np.generic], tensor: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(tensor.device)
