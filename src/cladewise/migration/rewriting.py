"""A trained head moved to an edited tree row by row, where that is exact."""

from __future__ import annotations

from collections import Counter

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.heads import Head
from cladewise.methods import Method
from cladewise.predictions import CarriedPrediction
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver

PROBES = 64
"""Random vectors of features on which the two heads are compared."""
TOLERANCE = 1e-5
"""Largest difference of a probability that counts as rounding."""
_SCALES = (1.0, 10.0)

Key = tuple[tuple[int, ...], int]


def rewritten_head(head: Head, method: Method, taxonomy: Taxonomy, carried: CarryOver, num_features: int) -> Head | str:
    """The head of a method over the new tree with the rows of a trained one, or the reason why there is none.

    Each row of the new head is that of the old node, bit for bit. The new head is exact if it gives the probabilities
    of the old one carried into the new tree, for any features; this is checked on random ones, so that it does not rest
    on the kind of head. It holds for renamed nodes in every head that is not made of their names; for moved nodes in
    heads that score each node by itself (a softmax over the leaves or over all nodes, independent sigmoids), but not
    where siblings compete or scores are summed down a path; and for merged, split, added and removed leaves in none:
    the logarithm of a sum of exponentials is no linear function of the features.

    Args:
        head: The trained head.
        method: Its method.
        taxonomy: The new tree.
        carried: The map from the tree of the head to the new one.
        num_features: Width of the features.

    Example:
        >>> from cladewise import methods
        >>> from cladewise.taxonomy.correspondence import Correspondence
        >>> old = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> new = Taxonomy.from_paths([("a", "b"), ("d", "c"), ("d", "e"), ("d", "f")])
        >>> found = Correspondence.from_pairs(old, new, [(1, 1), (2, 2), (3, 4), (4, 3), (5, 5), (6, 6)])
        >>> flat, hierarchical = methods.make("flat-softmax"), methods.make("conditional-softmax")
        >>> rewritten_head(flat.head(old, 8), flat, new, CarryOver.of(found), 8).linear.out_features
        4
        >>> rewritten_head(hierarchical.head(old, 8), hierarchical, new, CarryOver.of(found), 8)
        'the rows alone would give other probabilities in the new tree'
    """
    old_rows, state = head.rows(), head.state_dict()
    if not old_rows:
        return "the head does not say which rows belong to which node"
    try:
        made = method.loaded_head(taxonomy, num_features, state)
    except InputError as error:
        return f"the method has no head for the new tree: {error}"
    new_rows, wanted = made.rows(), made.state_dict()
    if state.keys() != wanted.keys() or old_rows.keys() != new_rows.keys():
        return "the new tree has other levels"
    taken: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in old_rows:
            order = _order(old_rows[name], new_rows[name], carried)
            if order is None:
                return "some nodes were merged, split, added or removed, or are at another level"
            tensor = tensor.index_select(0, order.to(tensor.device))
        if tensor.shape != wanted[name].shape:
            return "the new tree has other levels"
        taken[name] = tensor
    made.load_state_dict(taken)
    made = made.eval().to(next(head.parameters()).device)
    if not _same(head, made, carried, num_features):
        return "the rows alone would give other probabilities in the new tree"
    return made


def _order(
    old: Int[Tensor, "row role"], new: Int[Tensor, "row role"], carried: CarryOver
) -> Int[Tensor, " row"] | None:
    """The old row of each new row; ``None`` if some row has no counterpart or several."""
    nodes = old.unique()
    nodes = nodes[nodes >= 0].numpy()
    alone = carried.identified & (carried.num_sources[carried.place] == 1)
    if not alone[nodes].all():
        return None
    place = torch.cat([torch.tensor(carried.place), torch.tensor([-1])])  # -1 is the last
    old_keys, new_keys = _keys(place[old]), _keys(new)
    if old_keys.keys() != new_keys.keys():
        return None
    return torch.tensor([old_keys[key] for key in new_keys], dtype=torch.int64)


def _keys(nodes: Int[Tensor, "row role"]) -> dict[Key, int]:
    """Row of each combination of nodes; a count tells rows of the same nodes apart."""
    found: dict[Key, int] = {}
    seen: Counter[tuple[int, ...]] = Counter()
    for row, several in enumerate(map(tuple, nodes.tolist())):
        found[several, seen[several]] = row
        seen[several] += 1
    return found


def _same(head: Head, made: Head, carried: CarryOver, num_features: int) -> bool:
    """Whether the new head gives what the old one gives, carried into the new tree."""
    device = next(made.parameters()).device
    features = torch.randn(PROBES, num_features, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.inference_mode():
        for scale in _SCALES:
            expected = CarriedPrediction.of(head(scale * features).settled(), carried).log_prob.exp()
            found = made(scale * features).settled().log_prob.exp()
            if not bool(((found - expected).abs() <= TOLERANCE).all()):
                return False
    return True
