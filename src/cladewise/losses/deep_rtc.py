"""Deep-RTC: cross-entropy over the leaves of a randomly cut tree, with scores summed along paths."""

from __future__ import annotations

from typing import Literal, get_args

from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss, check_between, check_choice
from cladewise.losses.ps_softmax import ps_softmax_loss
from cladewise.ops import at_least_float, path_sibling_nll, tree_index
from cladewise.ops.random_cut import random_cut_nll, random_drops
from cladewise.predictions import PathSumSigmoid
from cladewise.taxonomy import Taxonomy

Form = Literal["random-cut", "original"]


def random_cut_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    dropped: Bool[Tensor, "*batch child"],
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy over the leaves of a tree that is cut at the dropped nodes.

    A dropped node becomes a leaf, and its descendants are removed.

    .. math:: s_v = \sum_{a \in A(v) \setminus \{root\}} \theta_a, \qquad
        \ell = \operatorname{LSE}_{v \in cut} s_v - \operatorname{LSE}_{v \in cut(t)} s_v

    where :math:`cut(t)` is the node of the cut at or above the target or, for an internal target that was not cut off,
    the nodes of the cut below it.

    Args:
        logits: Score :math:`\theta` of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; the loss of the root is 0.
        taxonomy: The label tree.
        dropped: Nodes at which each image's tree is cut; no effect at leaves.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> cut = torch.tensor([[True, False, False, False]])
        >>> random_cut_loss(torch.zeros(1, 4), torch.tensor([2]), t, cut).exp()
        tensor([2.])
    """
    rows = at_least_float(logits).reshape(target.numel(), taxonomy.num_nodes - 1)
    return random_cut_nll(rows, target.reshape(-1), taxonomy, dropped.reshape(rows.shape)).reshape(target.shape)


def deep_rtc_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    form: Form = "random-cut",
    rho: float = 0.0,
    sampling_weight: float = 1.0,
) -> Float[Tensor, "*batch"]:
    r"""Deep-RTC's loss, with a cut drawn for every image from torch's generator of the logits' device.

    .. math:: \ell = \ell_{cut}(\rho) \quad\text{or}\quad
        \ell = \frac{1}{d(t)} \sum_{a \in A(t) \setminus \{root\}} \Big(\operatorname{LSE}_{c \in C(\pi(a))} \theta_c -
        \theta_a\Big) + \lambda\, \ell_{cut}(\rho)

    where :math:`\ell_{cut}` is :func:`random_cut_loss` with every node dropped with probability :math:`\rho`: the
    parameter-sharing softmax (:func:`cladewise.losses.ps_softmax_loss`) at 0, a softmax among the root's children at 1.

    Args:
        logits: Score :math:`\theta` of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        form: ``"random-cut"``, the first formula; ``"original"``, the second, with the authors' node-conditional
            consistency in addition to their stochastic tree sampling.
        rho: Probability that a node is dropped, in [0, 1]; the authors' dropout rate.
        sampling_weight: :math:`\lambda` of the original form, >= 0.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> deep_rtc_loss(torch.zeros(1, 4), torch.tensor([2]), t, rho=1.0).exp()
        tensor([2.])

    References: Wu et al., Solving long-tailed recognition with deep realistic taxonomic classifier, ECCV 2020,
        arXiv:2007.09898. Their code averages the consistency over all edges of a batch rather than of an image, and
        clips scores above 10. The random-cut form, and ``rho=0`` in the published runs, are those of Valmadre,
        NeurIPS 2022, arXiv:2210.10929.
    """
    if rho:
        dropped = random_drops(target.numel(), taxonomy, rho, logits.device).reshape(logits.shape)
        cut = random_cut_loss(logits, target, taxonomy, dropped)
    else:
        cut = ps_softmax_loss(logits, target, taxonomy)
    if form == "random-cut":
        return cut
    depth = tree_index(taxonomy, logits.device).depth[target]
    consistency = path_sibling_nll(at_least_float(logits), target, taxonomy).sum(-1) / depth.clamp(min=1)
    return consistency + sampling_weight * cut


class DeepRTCLoss(Loss):
    """Deep-RTC's loss; see :func:`deep_rtc_loss`. Trees are cut in training mode only, like dropout.

    Raises:
        InputError: A setting is outside its range.

    Example:
        >>> import torch
        >>> loss = DeepRTCLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]), rho=1.0)
        >>> loss(torch.zeros(1, 4), torch.tensor([4])).exp(), loss.eval()(torch.zeros(1, 4), torch.tensor([4])).exp()
        (tensor([2.]), tensor([3.]))
    """

    def __init__(
        self, taxonomy: Taxonomy, form: Form = "random-cut", rho: float = 0.0, sampling_weight: float = 1.0
    ) -> None:
        super().__init__(taxonomy)
        check_choice(form, get_args(Form), "a form")
        check_between(rho, 0.0, 1.0, "a rho")
        check_between(sampling_weight, 0.0, 1e6, "a sampling weight")
        self.form: Form = form
        self.rho, self.sampling_weight = rho, sampling_weight

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> PathSumSigmoid:
        return PathSumSigmoid(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return deep_rtc_loss(
            logits,
            target,
            self.taxonomy,
            form=self.form,
            rho=self.rho if self.training else 0.0,
            sampling_weight=self.sampling_weight,
        )
