"""Projections of vectors to two dimensions, by t-SNE or UMAP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal, get_args

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.errors import InputError, MissingExtraError

Points = NDArray[np.float64]
Reduction = Literal["tsne", "umap"]
TITLES: dict[str, str] = {"tsne": "t-SNE", "umap": "UMAP"}
NEIGHBOURS = 15
"""Number of neighbours for UMAP."""


def in_the_plane(
    vectors: Float[Tensor, "point dim"], *, by: str = "tsne", perplexity: float = 30.0, seed: int = 0
) -> Points:
    """Unit vectors in the plane by t-SNE or UMAP; both begin with the two principal components.

    Args:
        vectors: The points.
        by: ``tsne`` or ``umap``.
        perplexity: Perplexity of t-SNE, roughly the number of neighbours; reduced for few points. UMAP uses 15.
        seed: Seed of what is drawn.

    Raises:
        InputError: There is no such way.
        MissingExtraError: scikit-learn, or umap-learn for UMAP, is not installed.

    Example:
        >>> import torch
        >>> in_the_plane(torch.eye(5), perplexity=2.0).shape
        (5, 2)

    References: van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008. McInnes et al., UMAP,
        arXiv:1802.03426.
    """
    make = reducer_package(by)
    unit = F.normalize(vectors.detach().double(), dim=-1).cpu().numpy()
    few = len(unit) - 1
    made: Any
    if by == "umap":
        near = max(2, min(NEIGHBOURS, few))
        made = make(n_neighbors=near, init="pca", random_state=seed, n_jobs=1)
    else:
        made = make(perplexity=min(perplexity, max(1.0, few / 3)), init="pca", random_state=seed)
    return np.asarray(made.fit_transform(unit), dtype=np.float64)


def reducer_package(by: str) -> Any:
    """Package that implements a reduction to the plane.

    Raises:
        InputError: There is no such way.
        MissingExtraError: Its package is not installed.
    """
    if by not in TITLES:
        raise InputError(f"a projection to the plane: {' or '.join(get_args(Reduction))}", repr(by))
    if by == "tsne":
        return scikit_learn().manifold.TSNE
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingExtraError("umap-learn", "explain") from error
    return UMAP


def scikit_learn() -> Any:
    """The parts of scikit-learn that are used here.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        from sklearn import manifold, metrics
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "explain") from error
    return SimpleNamespace(manifold=manifold, metrics=metrics)
