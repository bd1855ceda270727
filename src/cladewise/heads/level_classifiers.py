"""Heads with a separate classifier for each level, each on its own view of the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.heads.embedding_layer import part_widths
from cladewise.heads.head import Head
from cladewise.predictions import LevelSoftmax
from cladewise.taxonomy import Taxonomy


class LevelClassifierHead(Head):
    """One classifier per level, coarse to fine, each on its own view of the features; scores are concatenated.

    Args:
        taxonomy: The label tree.
        classifiers: Modules that score each extended level, ``[batch, level_node]``.
        views: Function from the features to the input of each classifier.
    """

    def __init__(
        self, taxonomy: Taxonomy, classifiers: Sequence[nn.Module], views: Callable[[Tensor], Sequence[Tensor]]
    ) -> None:
        super().__init__()
        self.taxonomy, self.views = taxonomy, views
        self.classifiers = nn.ModuleList(classifiers)

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        """The rows of the last linear layer of each classifier."""
        found: dict[str, Tensor] = {}
        for place, classifier in enumerate(self.classifiers):
            nodes = torch.tensor(self.taxonomy.level_nodes(place + 1))[:, None]
            last = [name for name, part in classifier.named_modules() if isinstance(part, nn.Linear)][-1]
            start = f"classifiers.{place}.{last}." if last else f"classifiers.{place}."
            found |= {f"{start}weight": nodes, f"{start}bias": nodes}
        return found

    def forward(self, features: Float[Tensor, "batch *tower feature"]) -> LevelSoftmax:
        nothing = features.new_zeros(features.shape[0], 0)  # a tree of the root alone has no level
        scores = [classify(seen) for classify, seen in zip(self.classifiers, self.views(features), strict=True)]
        return LevelSoftmax(self.taxonomy, torch.cat(scores or [nothing], dim=-1))


def level_sizes(taxonomy: Taxonomy) -> list[int]:
    """Number of nodes of each extended level, coarse to fine."""
    return [len(taxonomy.level_nodes(level)) for level in range(1, taxonomy.num_levels + 1)]


def finer_parts_head(taxonomy: Taxonomy, num_features: int) -> LevelClassifierHead:
    r"""One linear layer per level on its own part of the features and, without gradient, the finer parts.

    .. math:: z^{(k)} = W_k\,[x_k, \mathrm{sg}(x_{k+1}), \dots, \mathrm{sg}(x_K)] + b_k

    where the features are split into parts :math:`x_1, \dots, x_K`, coarse to fine (:func:`part_widths`), and
    :math:`\mathrm{sg}` stops the gradient.

    Raises:
        InputError: There are fewer features than levels.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> head = finer_parts_head(t, 10)
        >>> [layer.in_features for layer in head.classifiers], head(torch.zeros(4, 10)).logits.shape
        ([10, 5], torch.Size([4, 5]))

    References: Chang et al., Your "flamingo" is my "bird": fine-grained, or not, CVPR 2021, arXiv:2011.09040.
    """
    widths = part_widths(num_features, taxonomy.num_levels)
    starts = [sum(widths[:level]) for level in range(len(widths))]

    def views(features: Tensor) -> list[Tensor]:
        fixed = features.detach()
        ends = [start + width for start, width in zip(starts, widths, strict=True)]
        return [torch.cat([features[:, a:b], fixed[:, b:]], dim=-1) for a, b in zip(starts, ends, strict=True)]

    sizes = level_sizes(taxonomy)
    layers = [nn.Linear(num_features - start, size) for start, size in zip(starts, sizes, strict=True)]
    return LevelClassifierHead(taxonomy, layers, views)


def towers_head(taxonomy: Taxonomy, make_classifier: Callable[[int], nn.Module]) -> LevelClassifierHead:
    """One classifier per level, each on the features of its own encoder, or all on those of a single encoder.

    Features are ``[batch, tower, feature]`` with one tower per level, coarse to fine, or ``[batch, feature]``.

    Args:
        taxonomy: The label tree.
        make_classifier: Makes a classifier with the given number of outputs.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> head = towers_head(t, lambda size: nn.Linear(8, size))
        >>> head(torch.zeros(4, 2, 8)).logits.equal(head(torch.zeros(4, 8)).logits)
        True
    """

    def views(features: Tensor) -> Sequence[Tensor]:
        return features.unbind(1) if features.ndim == 3 else [features] * taxonomy.num_levels

    return LevelClassifierHead(taxonomy, [make_classifier(size) for size in level_sizes(taxonomy)], views)
