"""Dual margins: a leaf softmax whose scores are lowered by margins that are larger for rarer leaves."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.flat import flat_softmax_loss
from cladewise.losses.loss import Loss, check_between
from cladewise.ops import at_least_float, tree_index
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.leaf_counts import images_by_leaf

LARGEST_SCALE = 1000.0


def dual_margin_loss(
    logits: Float[Tensor, "*batch leaf"],
    target: Int[Tensor, "*batch"],
    margin: Float[Tensor, " leaf"],
    taxonomy: Taxonomy,
    *,
    rival: float = 1.0,
) -> Float[Tensor, "*batch"]:
    r"""Negative log-likelihood of the target after a margin on its own leaves, and one on all others.

    .. math:: z'_l = \begin{cases} z_l - m_l & l \in B(t) \\ z_l - \rho\, m_l & \text{otherwise} \end{cases}, \qquad
        \ell = \operatorname{LSE}_l z'_l - \operatorname{LSE}_{l \in B(t)} z'_l

    where :math:`B(t)` are the leaves at or under the target. The margin of the target demands that a rare leaf wins by
    more; the margin of a rival, :math:`\rho\, m_l`, weakens the gradient that pushes images of other leaves away from
    a rare one, by a factor :math:`e^{m_t - m_l}` relative to the target if :math:`\rho = 1`. With :math:`\rho = 0` only
    the target has a margin (LDAM, and CosFace if all are equal).

    Args:
        logits: Score of every leaf, by leaf position: cosines times a scale.
        target: Node of every image; internal nodes allowed.
        margin: Margin of every leaf in nats, :math:`m`: in cosine times the scale.
        taxonomy: The label tree.
        rival: Weight :math:`\rho` of the margins of leaves that are not at or under the target.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> margin = torch.tensor([3.0, 1.0, 1.0]).log()  # b is rare
        >>> dual_margin_loss(torch.zeros(3, 3), torch.tensor([2, 3, 1]), margin, t).exp()
        tensor([7.0000, 2.3333, 1.7500])
        >>> dual_margin_loss(torch.zeros(1, 3), torch.tensor([2]), margin, t, rival=0.0).exp()
        tensor([7.0000])

    References: see :class:`DualMarginLoss`.
    """
    lowered = at_least_float(logits) - rival * margin
    if rival != 1:
        index, place = tree_index(taxonomy, logits.device), torch.arange(taxonomy.num_leaves, device=logits.device)
        start, end = index.leaf_start[target][..., None], index.leaf_end[target][..., None]
        inside = (place >= start) & (place < end)
        lowered = lowered - inside * ((1 - rival) * margin)
    return flat_softmax_loss(lowered, target, taxonomy)


class DualMarginLoss(Loss):
    r"""Dual margins by the frequency of each leaf; see :func:`dual_margin_loss`.

    .. math:: m_l = s\, M \Big(\frac{n_{min}}{n_l}\Big)^{\gamma}

    where :math:`n_l` is the number of training images of the leaf, to which an image labelled at an internal node adds
    an equal share, and at least 1. The rarest leaf has the margin :math:`M` in cosine. :meth:`for_labels` sets the
    frequencies; until then all leaves have the largest margin. Only the loss has margins: the prediction is that of the
    scores as they are.

    Args:
        taxonomy: The label tree.
        scale: :math:`s`, the factor of the cosines in the scores, in (0, 1000].
        margin: :math:`M`, the largest margin, in cosine, in [0, 2].
        power: :math:`\gamma`, how fast margins fall with the number of images, in [0, 4]; 0: all are equal.
        rival: Weight of the margins of leaves that are not the target's, in [0, 4].

    Raises:
        InputError: An option is out of range.

    Example:
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> loss = DualMarginLoss(t, scale=10.0, margin=0.2, power=0.5).for_labels(torch.tensor([0, 400, 100]))
        >>> loss(torch.zeros(2, 2), torch.tensor([1, 2]))  # margins of 1 and 2 nats
        tensor([0.3133, 1.3133])

    References: Low et al., Dual-margin embedding for fine-grained long-tailed plant taxonomy (TaxoNet),
        arXiv:2512.18994. Neither the full text nor code was to be had. Abstracts and summaries of both versions give
        the parts: normalised embeddings and prototypes, a margin on the target that is larger for rare taxa, one on the
        prototypes of rare taxa that are not the target, by which their repulsion falls by :math:`e^{m_t - m_l}`, and
        powers of the frequency. The power is that of LDAM (Cao et al., NeurIPS 2019, arXiv:1906.07413). The largest
        margin is ours: a leaf 100 times as rare as another has a margin larger by 4.1 nats with the defaults, where the
        balanced softmax has :math:`\ln 100 = 4.6`. Labels at internal nodes are ours too. As published, taxa do not
        depend on each other in the tree.
    """

    _margin: Tensor

    def __init__(
        self, taxonomy: Taxonomy, *, scale: float = 30.0, margin: float = 0.2, power: float = 0.25, rival: float = 1.0
    ) -> None:
        super().__init__(taxonomy)
        if not 0 < scale <= LARGEST_SCALE:
            raise InputError(f"a scale above 0, up to {LARGEST_SCALE:g}", scale)
        check_between(margin, 0.0, 2.0, "a margin in cosine")
        check_between(power, 0.0, 4.0, "a power of the frequency")
        check_between(rival, 0.0, 4.0, "a weight of rival margins")
        self.scale, self.margin, self.power, self.rival = scale, margin, power, rival
        self.register_buffer("_margin", torch.full((taxonomy.num_leaves,), scale * margin), persistent=False)

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_leaves

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LeafSoftmax:
        return LeafSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return dual_margin_loss(logits, target, self._margin.to(logits), self.taxonomy, rival=self.rival)

    def for_labels(self, num_images: Int[Tensor, " node"]) -> Loss:
        adapted = DualMarginLoss(
            self.taxonomy, scale=self.scale, margin=self.margin, power=self.power, rival=self.rival
        )
        images = images_by_leaf(num_images.detach().cpu().numpy(), self.taxonomy)
        adapted._margin.copy_(torch.from_numpy(self.scale * self.margin * (images.min() / images) ** self.power))
        return adapted
