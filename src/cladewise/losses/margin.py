"""Soft-max-margin: the target against every node, with a margin that depends on how wrong the node is."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from cladewise.errors import InputError
from cladewise.losses.loss import Loss, check_between
from cladewise.ops import ancestors, at_least_float, tree_index
from cladewise.ops.rings import fill_rings, node_ranges, path_rings, path_to
from cladewise.predictions import NodeSoftmax
from cladewise.taxonomy import Taxonomy

Form = Literal["soft", "hard"]
Margin = Literal["incorrect", "depth-distance", "information-distance", "depth-deficit", "log-f1"]


def margins(
    target: Int[Tensor, "*batch"], taxonomy: Taxonomy, kind: Margin, *, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "*batch node"]:
    r"""Margin of every node against each target.

    With :math:`c = \operatorname{lca}(t, v)`, depths :math:`d` in edges and information
    :math:`I(v) = \ln(\text{leaves} / |B(v)|)` in nats:

    - ``incorrect``: 0 for the target and its ancestors, 1 for every other node.
    - ``depth-distance``: :math:`d(t) + d(v) - 2 d(c)`, the edges between them.
    - ``information-distance``: :math:`I(t) + I(v) - 2 I(c)`.
    - ``depth-deficit``: :math:`d(t) - d(c)`, the number of edges missed on the target's path.
    - ``log-f1``: :math:`\ln(1 - F_1)` with :math:`F_1 = 2 d(c) / (d(t) + d(v))`; at most 0, and 0 at the target.

    The last four are the authors' ``depth_dist``, ``info_dist``, ``depth_deficient`` and ``log_depth_f1_error``.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> for kind in ("incorrect", "depth-distance", "depth-deficit"):
        ...     print(margins(torch.tensor(2), t, kind))
        tensor([0., 0., 0., 1., 1.])
        tensor([2., 1., 0., 2., 3.])
        tensor([2., 1., 0., 1., 2.])
    """
    index = tree_index(taxonomy, target.device)
    flat = target.reshape(-1)
    path = path_to(flat, taxonomy)
    if kind == "incorrect":
        wrong = torch.ones(flat.numel(), taxonomy.num_nodes, dtype=dtype, device=target.device)
        rows = wrong.scatter_(-1, path, 0.0)
    else:
        if kind == "information-distance":
            value = torch.as_tensor(np.log(2.0) * taxonomy.information, device=target.device).to(dtype)
        else:
            value = index.depth.to(dtype)
        of_target, shared = value[flat][:, None], value[path]
        if kind == "depth-deficit":
            rows = fill_rings(of_target - shared, node_ranges(path, taxonomy), taxonomy.num_nodes)
        else:
            rows = fill_rings(of_target - 2 * shared, node_ranges(path, taxonomy), taxonomy.num_nodes).add_(value)
            if kind == "log-f1":  # 1 - F1 is the distance over the sum of the depths
                error = rows.div_((of_target + value).clamp_min_(1.0))
                rows = error.scatter_(-1, flat[:, None], 1.0).log_()
    return rows.view(*target.shape, taxonomy.num_nodes)


def soft_max_margin_loss(
    logits: Float[Tensor, "*batch node"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    tau: float = 5.0,
    form: Form = "soft",
    margin: Margin = "incorrect",
) -> Float[Tensor, "*batch"]:
    r"""Soft or hard maximum of how much each node violates its margin against the target.

    .. math:: \ell_{soft} = -z_t + \operatorname{LSE}_v \big(z_v + \tau\, m(t, v)\big), \qquad
        \ell_{hard} = \max_v \big(z_v - z_t + \tau\, m(t, v)\big)

    with :math:`m` from :func:`margins`, which is 0 at the target, so that neither form is negative. With ``tau=0`` the
    soft form is the cross-entropy over all nodes. Every node is a label like any other, so an internal target also
    competes with its own descendants.

    The published margin costs one softmax over the nodes, in which the path is lowered by ``tau``. The other margins
    need a row of margins per image.

    Args:
        logits: Score of every node.
        target: Node of every image.
        taxonomy: The label tree.
        tau: Factor of the margin, in nats, >= 0.
        form: ``"soft"``, or ``"hard"`` for the maximum.
        margin: ``"incorrect"`` is the published one.

    Example:
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> soft_max_margin_loss(torch.zeros(1, 3), torch.tensor([1]), t, tau=0.0).exp().round()
        tensor([3.])
        >>> soft_max_margin_loss(torch.zeros(1, 3), torch.tensor([1]), t, tau=2.0, form="hard")
        tensor([2.])

    References: Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929. The
        released code stores a table of labels × nodes; here each row is computed from the target's path. Its
        ``"log-f1"`` is -inf at the target, which removes the target from the soft form's sum and leaves the loss
        unbounded below; here the target stays in the sum, which gives :math:`\ln(1 + e^{\ell})` of the authors' value.
    """
    scores, node = at_least_float(logits).reshape(-1, logits.shape[-1]), target.reshape(-1)
    if margin == "incorrect" and form == "soft":
        return _lowered_path(scores, node, taxonomy, tau).reshape(target.shape)
    if margin == "incorrect":
        rivals = _lower_path(scores, node, taxonomy, tau)
    else:
        rivals = scores.add(margins(node, taxonomy, margin, dtype=scores.dtype), alpha=tau)
    if form == "soft":  # the target has no margin against itself, so this is a cross-entropy
        loss = cross_entropy(rivals, node, reduction="none")
    else:
        loss = rivals.max(-1).values - rivals.gather(-1, node[:, None]).squeeze(-1)
    return loss.reshape(target.shape)


def _lowered_path(scores: Tensor, node: Tensor, taxonomy: Taxonomy, tau: float) -> Tensor:
    """Cross-entropy of the target among the scores with those of the target and its ancestors lowered."""
    path = path_to(node, taxonomy)
    own, beside = path_rings(scores, path, node, taxonomy)
    lowered = own - tau
    at_target = tree_index(taxonomy, node.device).depth[node, None]
    return torch.cat([lowered, beside], dim=1).logsumexp(1) - lowered.gather(1, at_target).squeeze(1)


def _lower_path(scores: Tensor, node: Tensor, taxonomy: Taxonomy, tau: float) -> Tensor:
    """The scores with those of the target and its ancestors lowered."""
    path = ancestors(node, taxonomy)
    lowered = scores.new_zeros(path.shape).masked_fill_(path >= 0, -tau)
    return scores.scatter_add(-1, path.clamp(min=0), lowered)


class SoftMaxMarginLoss(Loss):
    """Soft-max-margin; see :func:`soft_max_margin_loss`, and :func:`margins` for the kinds of margin.

    Raises:
        InputError: ``tau`` is negative, or the form or the margin is not known.

    Example:
        >>> loss = SoftMaxMarginLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), tau=5.0)
        >>> loss.num_outputs
        4
        >>> loss(torch.zeros(1, 4), torch.tensor([2])).round(decimals=2)
        tensor([5.0200])
    """

    def __init__(self, taxonomy: Taxonomy, tau: float = 5.0, form: Form = "soft", margin: Margin = "incorrect") -> None:
        super().__init__(taxonomy)
        check_between(tau, 0.0, float(np.finfo(np.float32).max), "a tau")
        for name, value, kind in (("form", form, Form), ("margin", margin, Margin)):
            if value not in get_args(kind):
                raise InputError(f"a {name} among {', '.join(get_args(kind))}", repr(value))
        self.tau = tau
        self.form: Form = form
        self.margin: Margin = margin

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> NodeSoftmax:
        return NodeSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return soft_max_margin_loss(logits, target, self.taxonomy, tau=self.tau, form=self.form, margin=self.margin)
