"""Grad-CAM through the package ``grad-cam``, without a trace on the network."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from cladewise.errors import MissingExtraError
from cladewise.explanations.feature_map import FeatureMap

NORMALISED = 1e-4
"""Tolerance for the log of a level's total probability, which should be 0."""


def grad_cam(
    network: nn.Module,
    images: Float[Tensor, "batch channel height width"],
    columns: Int[Tensor, " batch"],
    feature_map: FeatureMap,
) -> NDArray[np.float32]:
    r"""Grad-CAM: the places of an image that raise one of its scores.

    .. math:: M = \max\Bigl(0, \sum_c \alpha_c A_c\Bigr), \qquad
        \alpha_c = \frac{1}{hw} \sum_{ij} \frac{\partial s}{\partial A_{c,ij}}

    with the feature map :math:`A` [feature, h, w] and the score :math:`s`. :math:`M` is enlarged to the image, its
    minimum subtracted, and divided by its maximum: a map shows where, not how much. It is 0 everywhere if no place
    raises the score.

    Of the log-probability :math:`\log p` it is the log-odds :math:`\log p - \log(1 - p)` that are differentiated.
    Their gradient is that of :math:`\log p` over :math:`1 - p`, so the map is the same, but no digits are lost where
    the model is nearly certain.

    Gradients are computed from the scores down to the map and no further. Weights, their gradients and their
    ``requires_grad`` are left unchanged.

    Args:
        network: Images to log-probabilities [batch, score], in evaluation mode.
        images: Normalised images.
        columns: The score of each image that is explained.
        feature_map: The map, as :func:`~cladewise.explanations.last_feature_map` finds it.

    Returns:
        Values in [0, 1], [batch, height, width].

    Raises:
        MissingExtraError: The package ``grad-cam`` is not installed.

    References: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization,
        ICCV 2017, arXiv:1610.02391. The score there is a logit; a log-probability also falls where an image speaks for
        other nodes of the level.
    """
    library = grad_cam_package()
    with _frozen(network), _starting_at(feature_map.module), torch.enable_grad():
        cam = library.GradCAM(model=network, target_layers=[feature_map.module], reshape_transform=feature_map.reshape)
        try:
            maps = cam(input_tensor=images.detach(), targets=[_LogOdds(column) for column in columns.tolist()])
        finally:
            cam.activations_and_grads.release()
    return np.nan_to_num(np.asarray(maps, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(0, 1)


def grad_cam_package() -> ModuleType:
    """The package ``grad-cam``.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pytorch_grad_cam
    except ImportError:
        raise MissingExtraError("grad-cam", "explain") from None
    return pytorch_grad_cam


class _LogOdds:
    """The explained score of one image."""

    def __init__(self, column: int) -> None:
        self.column = column

    def __call__(self, log_prob: Float[Tensor, " score"]) -> Float[Tensor, ""]:
        own = log_prob[self.column]
        others = torch.cat([log_prob[: self.column], log_prob[self.column + 1 :]]).logsumexp(0)
        if torch.logaddexp(own, others).abs() < NORMALISED and others.isfinite():
            return own - others
        return own / (-torch.expm1(own.detach())).clamp_min(torch.finfo(own.dtype).tiny)


@contextmanager
def _frozen(network: nn.Module) -> Generator[None, None, None]:
    """No weight asks for a gradient."""
    asking = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in asking:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in asking:
            weight.requires_grad_(True)


@contextmanager
def _starting_at(module: nn.Module) -> Generator[None, None, None]:
    """Gradients go back to the module's output and end there."""

    def start(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output.detach().requires_grad_().clone()  # what follows may change its input in place, but not a leaf

    handle = module.register_forward_hook(start)
    try:
        yield
    finally:
        handle.remove()
