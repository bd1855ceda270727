"""The trained layer between features and classifiers, and how it is split among levels."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.heads.head import Head
from cladewise.predictions import Prediction


class Embedding(nn.Module):
    r"""A trained layer between features and classifiers: BatchNorm, linear, BatchNorm, ELU.

    .. math:: e = \operatorname{ELU}\big(\operatorname{BN}(W \operatorname{BN}(f))\big)

    In training, features are normalised over the batch. In evaluation, and for a batch of a single image, the running
    mean and variance are used; such a batch does not update them. The linear layer has no bias, since the normalisation
    after it would cancel it.

    Args:
        num_features: Width of the features.
        width: Width of the embedding.

    Raises:
        InputError: The width is not positive.

    Example:
        >>> import torch
        >>> Embedding(8)(torch.zeros(5, 8)).shape
        torch.Size([5, 600])

    References: Chang et al., Your "flamingo" is my "bird": fine-grained, or not, CVPR 2021, arXiv:2011.09040, and Wang
        et al., Label hierarchy transition, arXiv:2112.02353: a fully connected layer of 600 units. The normalisations
        follow the released code of both, whose linear layer has a bias.
    """

    def __init__(self, num_features: int, width: int = 600) -> None:
        super().__init__()
        if width < 1:
            raise InputError("an embedding of at least 1 number", width)
        self.num_features, self.width = num_features, width
        self.layers = nn.Sequential(
            BatchNorm(num_features), nn.Linear(num_features, width, bias=False), BatchNorm(width), nn.ELU()
        )

    def forward(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch width"]:
        return self.layers(features)

    def __call__(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch width"]:
        return super().__call__(features)


class EmbeddedHead(Head):
    """A head applied to an embedding of the features: :class:`Embedding`, or another module from vectors to vectors.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.heads import leaf_softmax_head
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> EmbeddedHead(Embedding(8), leaf_softmax_head(t, 600))(torch.zeros(5, 8)).logits.shape
        torch.Size([5, 2])
    """

    def __init__(self, embedding: nn.Module, head: Head) -> None:
        super().__init__()
        self.embedding, self.head = embedding, head

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        return {f"head.{name}": nodes for name, nodes in self.head.rows().items()}

    def forward(self, features: Float[Tensor, "batch feature"]) -> Prediction:
        return self.head(self.embedding(features))

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        return self.embedding(features)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that also accepts a batch of one image, for which torch raises in training."""

    def forward(self, input: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        if not self.training or len(input) > 1:  # first the mode, so that no graph depends on the size of its example
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        return nn.functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


def part_widths(width: int, num_parts: int) -> list[int]:
    """Widths of the parts that an embedding is split into: equal, with the remainder spread over the first parts.

    Raises:
        InputError: The embedding is narrower than the number of parts.

    Example:
        >>> part_widths(600, 3), part_widths(600, 7)
        ([200, 200, 200], [86, 86, 86, 86, 86, 85, 85])
    """
    if width < num_parts:
        raise InputError(f"an embedding of at least {num_parts} numbers, 1 a level", width)
    each, rest = divmod(width, num_parts) if num_parts else (0, 0)
    return [each + (part < rest) for part in range(num_parts)]


def embedded_head(num_features: int, width: int, make_head: Callable[[int], Head]) -> Head:
    """A head on a trained embedding of the features, or directly on the features if the width is 0.

    Args:
        num_features: Width of the features.
        width: Width of the embedding; 0 for none.
        make_head: Makes the head for input of a given width.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.heads import leaf_softmax_head
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> [type(embedded_head(8, width, lambda size: leaf_softmax_head(t, size))).__name__ for width in (600, 0)]
        ['EmbeddedHead', 'LinearHead']
    """
    if not width:
        return make_head(num_features)
    return EmbeddedHead(Embedding(num_features, width), make_head(width))
