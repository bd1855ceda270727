"""Scores of a prediction that do not depend on the evaluated decision: those of the majority and leaf rules."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions import Leaf, Majority
from cladewise.errors import InputError
from cladewise.metrics.information import depth_scores, information_scores
from cladewise.metrics.truncation import truncate
from cladewise.predictions import Prediction

PREDICTION_COLUMNS = ("majority_f1", "leaf_f1", "leaf_top1", "majority_depth_f1", "leaf_depth_f1")
"""Names of the columns of :func:`score_prediction`, in its order."""


def score_prediction(prediction: Prediction, target: Int[Tensor, "*batch"]) -> dict[str, Float[Tensor, "*batch"]]:
    """Per-image F1 of the majority rule and of the best leaf, by information and by depth, and top-1 of that leaf.

    The means of the first three are published as M-F1, L-F1 and L-Top1. They compare predictions, so they do not
    depend on the decision under evaluation.

    Args:
        prediction: Of any kind.
        target: Node of each label; internal nodes allowed.

    Returns:
        A tensor ``[*batch]`` under each name of :data:`PREDICTION_COLUMNS`, in that order.

    Raises:
        InputError: There is not one label for each image.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> p = LeafSoftmax(t, torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log())
        >>> {name: round(x.item(), 4) for name, x in score_prediction(p, torch.tensor([2])).items()}
        {'majority_f1': 0.6667, 'leaf_f1': 1.0, 'leaf_top1': 1.0, 'majority_depth_f1': 0.6667, 'leaf_depth_f1': 1.0}

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    if target.shape != prediction.batch_shape:
        raise InputError(f"labels {list(prediction.batch_shape)}", f"shape {list(target.shape)}")
    taxonomy = prediction.taxonomy
    majority, leaf = Majority()(prediction).node, Leaf()(prediction).node
    return {
        "majority_f1": information_scores(majority, target, taxonomy).f1.float(),
        "leaf_f1": information_scores(leaf, target, taxonomy).f1.float(),
        "leaf_top1": (truncate(leaf, target, taxonomy) == target).float(),
        "majority_depth_f1": depth_scores(majority, target, taxonomy).f1.float(),
        "leaf_depth_f1": depth_scores(leaf, target, taxonomy).f1.float(),
    }
