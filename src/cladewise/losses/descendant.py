"""Descendant softmax: a cross-entropy of every ancestor of the target against the nodes that contradict it."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.loss import Loss
from cladewise.ops import at_least_float, tree_index
from cladewise.ops.rings import path_rings, path_to
from cladewise.predictions import NodeSoftmax
from cladewise.taxonomy import Taxonomy

Rivals = Literal["complement", "all"]


def descendant_softmax_loss(
    logits: Float[Tensor, "*batch node"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    form: Rivals = "complement",
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropies of the target's ancestors, each against the nodes that contradict it.

    .. math:: \ell = \sum_{a \in A(t)} \frac{Z_a - z_a}{|B(a)|}, \qquad
        Z_a = \log\Big(e^{z_a} + \sum_{v \notin De(a) \cup A(a)} e^{z_v}\Big)

    where :math:`A(t)` are the target and its ancestors including the root, :math:`De(a)` the nodes at or under ``a``
    and :math:`B(a)` the leaves among them. The rivals of an ancestor exclude the nodes above and below it, so the
    root's term is 0. The form ``"all"`` has :math:`Z_a = \operatorname{LSE}_v z_v` over all nodes.

    Args:
        logits: Score of every node.
        target: Node of every image; nodes below an internal target are not rivals in any term.
        taxonomy: The label tree.
        form: ``"complement"``, which the paper calls soft-max-descendant, or ``"all"``.

    Example:
        >>> t = Taxonomy.from_paths([("a",), ("b",), ("c",)])
        >>> descendant_softmax_loss(torch.zeros(1, 4), torch.tensor([2]), t).exp().round()
        tensor([3.])

    References: Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929. The
        released code sums the energies of all nodes and gathers those of the path's siblings; the sums are equal.
    """
    index = tree_index(taxonomy, logits.device)
    scores, node = at_least_float(logits).reshape(-1, logits.shape[-1]), target.reshape(-1)
    path = path_to(node, taxonomy)
    on_path = torch.arange(path.shape[1], device=path.device) <= index.depth[node, None]
    weight = on_path / index.num_leaves_under[path].to(scores.dtype)
    rings = path_rings(scores, path, node, taxonomy)
    own = torch.where(on_path, rings[0], 0.0)
    if form == "all":
        among = torch.cat(rings, dim=-1).logsumexp(-1, keepdim=True)
    else:
        among = _own_and_outside(own, rings[1][:, :-1])
    return ((among - own) * weight).sum(-1).reshape(target.shape)


def _own_and_outside(own: Tensor, siblings: Tensor) -> Tensor:
    """Log-sum-exp, for each node of the path, of its own score and of all siblings down to its depth."""
    depth = own.shape[1]
    row, column = torch.arange(depth, device=own.device)[:, None], torch.arange(depth - 1, device=own.device)
    outside = siblings[:, None, :].masked_fill(column >= row, -torch.inf)
    return torch.cat([own[..., None], outside], dim=-1).logsumexp(-1)


class DescendantSoftmaxLoss(Loss):
    """Cross-entropies of the target's ancestors; see :func:`descendant_softmax_loss`.

    Raises:
        InputError: The form is not known.

    Example:
        >>> loss = DescendantSoftmaxLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), "all")
        >>> loss.num_outputs
        4
        >>> loss(torch.zeros(1, 4), torch.tensor([0])).exp().round(decimals=2)
        tensor([2.])
    """

    def __init__(self, taxonomy: Taxonomy, form: Rivals = "complement") -> None:
        super().__init__(taxonomy)
        if form not in get_args(Rivals):
            raise InputError(f"a form among {', '.join(get_args(Rivals))}", repr(form))
        self.form: Rivals = form

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> NodeSoftmax:
        return NodeSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return descendant_softmax_loss(logits, target, self.taxonomy, form=self.form)
