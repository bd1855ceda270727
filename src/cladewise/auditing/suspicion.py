"""Probable errors in labels, from the predictions of a model that was not trained on the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import ops
from cladewise.decisions import Majority
from cladewise.errors import InputError
from cladewise.predictions import Prediction

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

EXPECTED_ERRORS = 0.05
"""Share of wrong labels that is assumed before an image is looked at."""
TOP_LEAVES = 5
"""Most probable leaves that are kept of each image, as labels to choose from."""
AGREES, WRONG, UNSUPPORTED, FINER, UNKNOWN = "agrees", "wrong", "unsupported", "finer", "unknown"
VERDICTS = (AGREES, WRONG, UNSUPPORTED, FINER, UNKNOWN)
"""Relation of the evidence to the label: it ends at the label, on another branch, above the label, or below it; or it
says nothing about the label, since the model was trained on no image at or under it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Suspicions:
    """Labels beside the evidence, one value per image.

    Args:
        label: Node of the label.
        proposal: Node at which the evidence ends: the most informative node that is more probable than not.
        meet: Their lowest common ancestor.
        verdict: Position in :data:`VERDICTS`. A node and its only child hold the same leaves, and count as one place.
        probability: Probability at or under the label by the model alone.
        wrong: Posterior probability that the label is wrong, see :func:`suspicions`.
        bits: Expected information of the label that is false, in bits.
        gain: Expected further information, in bits, of a proposal below the label; 0 elsewhere.
        top: The most probable leaves ``[image, rank]``, best first.
        top_probability: Their probabilities.
    """

    label: IntArray
    proposal: IntArray
    meet: IntArray
    verdict: IntArray
    probability: FloatArray
    wrong: FloatArray
    bits: FloatArray
    gain: FloatArray
    top: IntArray
    top_probability: FloatArray

    def order(self) -> IntArray:
        """Images whose evidence ends neither at their label nor below it, the most bits first."""
        found = np.flatnonzero(np.isin(self.verdict, [VERDICTS.index(WRONG), VERDICTS.index(UNSUPPORTED)]))
        return found[np.argsort(-self.bits[found], kind="stable")]

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether the model has learnt from images at or under each label."""
        return self.verdict != VERDICTS.index(UNKNOWN)

    def with_known(self, known: NDArray[np.bool_]) -> Suspicions:
        """The same, with the verdict :data:`UNKNOWN` for the images whose label the model could not learn."""
        return dataclasses.replace(self, verdict=np.where(known, self.verdict, VERDICTS.index(UNKNOWN)))

    def finer(self) -> IntArray:
        """Images whose label could be finer, the most further information first."""
        found = np.flatnonzero(self.verdict == VERDICTS.index(FINER))
        return found[np.argsort(-self.gain[found], kind="stable")]


def suspicions(
    prediction: Prediction,
    label: Int[Tensor, " image"],
    *,
    num_labels: int,
    expected_errors: float = EXPECTED_ERRORS,
) -> Suspicions:
    r"""Compare labels with predictions that were made without them.

    With :math:`p_v` the probability at or under node :math:`v`, :math:`y` the label and :math:`\epsilon` the share of
    labels that are wrong, spread evenly over the :math:`K - 1` other labels, Bayes' rule gives the probability that the
    label is wrong, given both the model's prediction and the label itself:

    .. math:: w = \frac{\rho\,(1 - p_y)}{p_y + \rho\,(1 - p_y)}, \qquad
        \rho = \frac{\epsilon}{1 - \epsilon} \cdot \frac{1}{K - 1}

    What is lost if the label stays is the information of the part of its path that is false. With
    :math:`I(v) = \log_2 (L / |B(v)|)` bits at a node with :math:`|B(v)|` of the :math:`L` leaves, and
    :math:`\pi(v)` the parent, the expected loss is

    .. math:: b = \frac{w}{1 - p_y} \sum_{a \in A(y)} \left(I(a) - I(\pi(a))\right) (1 - p_a)

    The sum is the expected information of :math:`y` that is not shared with the true node, :math:`I(y) -
    I(\operatorname{lca}(y, t))`. It needs the probabilities on the path of the label alone, so evidence below an
    internal label costs nothing, and a label that holds all the probability has :math:`b = 0`. Because :math:`w` is
    small wherever the model gives the label some probability, the ratio of probabilities decides first, and the
    tree orders labels that are about equally improbable. The expectation by the model alone (:math:`w = 1 - p_y`)
    ranks uncertain images with much probability elsewhere above confident errors between siblings, and was measured to
    be worse.

    Args:
        prediction: Predictions for images that the model was not trained on, with one batch axis, over the tree of the
            labels.
        label: Their labels; internal nodes allowed.
        num_labels: Number :math:`K` of different labels in the data.
        expected_errors: :math:`\epsilon`, in (0, 1). It matters little to the order.

    Raises:
        InputError: ``expected_errors`` is not in (0, 1).

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> from cladewise.taxonomy import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> sure = LeafSoftmax(t, torch.tensor([[0.97, 0.01, 0.01, 0.01]]).log().expand(4, 4))
        >>> found = suspicions(sure, torch.tensor([2, 3, 5, 1]), num_labels=5)  # b, its sibling c, e, and a itself
        >>> found.bits.round(3).tolist(), [VERDICTS[v] for v in found.verdict]
        ([0.001, 0.577, 1.126, 0.0], ['agrees', 'wrong', 'wrong', 'finer'])
    """
    check_expected_errors(expected_errors)
    tree = prediction.taxonomy
    label = label.to(prediction.device)
    information = torch.tensor(tree.information, device=prediction.device)
    steps = information - information[torch.tensor(np.maximum(tree.parents, 0), device=prediction.device)]
    path = ops.ancestors(label, tree)
    on_path = path >= 0
    nodes = path.clamp(min=0)
    outside = _outside(prediction, nodes)
    lost = (steps[nodes] * outside * on_path).sum(-1)
    outside_label = _outside(prediction, label[:, None]).squeeze(-1)
    inside_label = prediction.log_prob_of(label[:, None]).squeeze(-1).double().exp().nan_to_num(0.0).clamp(0, 1)
    odds = expected_errors / (1 - expected_errors) / max(1, num_labels - 1)
    share = odds / (inside_label + odds * outside_label).clamp(min=torch.finfo(torch.float64).tiny)
    proposal = Majority()(prediction).node
    nodes_of = label.cpu().numpy(), proposal.cpu().numpy()
    meet = tree.lca(*nodes_of)
    is_below, is_above = (tree.information[meet] >= tree.information[ends] for ends in nodes_of)
    top = prediction.leaf_ranking(TOP_LEAVES)
    return Suspicions(
        label=nodes_of[0],
        proposal=nodes_of[1],
        meet=meet,
        verdict=np.select([is_below & is_above, is_above, is_below], [0, 2, 3], 1),
        probability=inside_label.cpu().numpy(),
        wrong=(share * outside_label).clamp(0, 1).cpu().numpy(),
        bits=(share * lost).clamp(min=0).cpu().numpy(),
        gain=_gain(prediction, label, proposal, steps).cpu().numpy(),
        top=top.cpu().numpy(),
        top_probability=prediction.log_prob_of(top).double().exp().clamp(max=1).cpu().numpy(),
    )


def check_expected_errors(share: float) -> None:
    """Check a share of wrong labels.

    Raises:
        InputError: It is not in (0, 1).
    """
    if not 0 < share < 1:
        raise InputError("expected_errors=... above 0 and below 1", share)


def joined(parts: Sequence[Suspicions]) -> Suspicions:
    """The suspicions of several parts of images as one."""
    names = [field.name for field in dataclasses.fields(Suspicions)]
    return Suspicions(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _outside(prediction: Prediction, nodes: Int[Tensor, "image k"]) -> Float[Tensor, "image k"]:
    """Probability that an image is not at or under a node; exact where it is tiny."""
    image = torch.arange(len(nodes), device=nodes.device)[:, None].expand_as(nodes)
    found = prediction.prob_outside(image.reshape(-1), nodes.reshape(-1)).reshape(nodes.shape)
    return found.double().nan_to_num(0.0).clamp(0, 1)


def _gain(
    prediction: Prediction,
    label: Int[Tensor, " image"],
    proposal: Int[Tensor, " image"],
    steps: Float[Tensor, " node"],
) -> Float[Tensor, " image"]:
    """Expected information of a proposal below the label that the label lacks."""
    path = ops.ancestors(proposal, prediction.taxonomy)
    depth = ops.tree_index(prediction.taxonomy, label.device).depth
    below = (path >= 0) & (torch.arange(path.shape[1], device=label.device) > depth[label][:, None])
    below &= torch.tensor(
        prediction.taxonomy.contains(label.cpu().numpy(), proposal.cpu().numpy()), device=label.device
    )[:, None]
    nodes = path.clamp(min=0)
    inside = prediction.log_prob_of(nodes).double().exp().clamp(max=1)
    return (steps[nodes] * inside * below).sum(-1)
