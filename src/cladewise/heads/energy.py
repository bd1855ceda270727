"""The head of joint embeddings: label vectors, a map from features to vectors, and the energies between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.embeddings import Geometry, LabelSpace, NegativeSampler, closure_edges, embed, max_margin_loss
from cladewise.embeddings.negatives import Strategy
from cladewise.heads.head import Head
from cladewise.ops import at_least_float
from cladewise.predictions import LevelEnergies, Prediction
from cladewise.taxonomy import Taxonomy

LABEL_EDGES = 64
"""Number of edges between labels sampled per step."""
DRAWN_PER_SIDE = 5
"""Negative edges sampled per edge with another parent, and as many with another child."""
LAYER_WIDTH = 512
"""Width of the hidden layers of the image map."""


class LabelEdges(NamedTuple):
    """Sums over sampled edges between labels and their negative edges, and the numbers of both."""

    true: Float[Tensor, ""]
    """Energies of the edges."""
    false: Float[Tensor, ""]
    """Shortfall of the energies of the negative edges below the margin."""
    num_true: int
    num_false: int


class EnergyHead(Head):
    r"""The energy of an image under every label, with learnt label vectors and a learnt map of the images.

    .. math:: \theta_v \mapsto u_v = g(\theta_v), \qquad x \mapsto g(f(x)), \qquad E(u_v, g(f(x)))

    where g maps any vector into the geometry's domain, so that a Euclidean optimiser can train both labels and map.
    Every step also samples edges between labels, with negative edges, and adds their max-margin loss
    (:meth:`own_loss`).

    Args:
        taxonomy: The label tree; its root has no vector.
        geometry: The geometry, which defines the energies.
        image_map: f, from features to vectors.
        dim: Dimensions of the vectors.
        negatives: Sampling strategy for negative edges between labels.
        num_negatives: Negative edges per edge between labels; fewer are sampled and weighted accordingly.
        margin: Smallest energy of a negative edge without loss.
        weight: Weight of the loss between labels relative to that of an image.
        rate: Learning rate of the labels relative to that of the map.
        rsgd: Whether labels are updated by Riemannian SGD instead of the run's optimiser.
        label_epochs: Epochs of an initial embedding of the labels alone; 0 for random initial vectors.
        temperature: Temperature of the probabilities, in units of the energy.

    Example:
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> head = EnergyHead(t, make("euclidean"), nn.Linear(8, 4), 4)
        >>> head(torch.zeros(5, 8)).logits.shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        geometry: Geometry,
        image_map: nn.Module,
        dim: int,
        *,
        negatives: Strategy = "pick-per-level",
        num_negatives: float = 10.0,
        margin: float = 1.0,
        weight: float = 1.0,
        rate: float = 1.0,
        rsgd: bool = False,
        label_epochs: int = 0,
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        self.taxonomy, self.geometry, self.image_map, self.dim = taxonomy, geometry, image_map, dim
        self.negatives: Strategy = negatives
        self.num_negatives, self.margin, self.weight = num_negatives, margin, weight
        self.rate, self.rsgd, self.label_epochs, self.temperature = rate, rsgd, label_epochs, temperature
        generator = torch.Generator().manual_seed(int(torch.randint(1 << 31, ())))
        start = geometry.start(taxonomy.num_nodes - 1, dim, generator)
        self.points = nn.Parameter(self._parameter(start))
        self._edges = closure_edges(taxonomy)

    def _parameter(self, vectors: Tensor) -> Tensor:
        """The parameter that yields the given vectors."""
        return vectors if self.rsgd else self.geometry.freed(vectors) / self.rate

    def label_vectors(self) -> Float[Tensor, "label dim"]:
        """Vectors of the labels; row i belongs to node i + 1."""
        return label_vectors_of(self.points, self.geometry, rate=self.rate, rsgd=self.rsgd)

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        return {"points": torch.arange(1, self.taxonomy.num_nodes)[:, None]}

    def image_vectors(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Vectors of images."""
        mapped = self.image_map(features)
        with torch.autocast(features.device.type, enabled=False):
            return self.geometry.placed(at_least_float(mapped))

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        return self.image_vectors(features)

    def forward(self, features: Float[Tensor, "batch feature"]) -> Prediction:
        images = self.image_vectors(features)
        with torch.autocast(features.device.type, enabled=False):
            energy = self.geometry.pairwise_energy(self.label_vectors(), images).T
            return LevelEnergies(self.taxonomy, -energy, self.temperature)

    @torch.no_grad()
    def begin(self, seed: int) -> None:
        if not self.label_epochs or not len(self._edges):
            return
        settings: dict[str, Any] = {"dim": self.dim, "closure": 1.0, "margin": self.margin, "negatives": self.negatives}
        with torch.enable_grad():
            space = embed(
                self.taxonomy,
                geometry=self.geometry,
                epochs=self.label_epochs,
                seed=seed,
                progress=False,
                **settings,
            )
        self.points.copy_(self._parameter(space.vectors))

    def own_loss(self) -> Float[Tensor, ""] | None:
        if not self.weight or not len(self._edges):
            return None
        sampled = self.label_edges()
        false_weight = self.num_negatives / (2 * DRAWN_PER_SIDE)
        return self.weight * (sampled.true + false_weight * sampled.false) / LABEL_EDGES

    def label_edges(self) -> LabelEdges:
        """Sample edges between labels, each with negative edges, and sum their energies and what these lack.

        The tree must have an edge between labels.
        """
        device = self.points.device
        drawn = torch.randint(len(self._edges), (LABEL_EDGES,)).numpy()
        chosen = self._edges[drawn]
        general, special = (torch.from_numpy(nodes).to(device) for nodes in (chosen.general, chosen.special))
        draw = NegativeSampler(self.taxonomy, self.negatives, device=device)
        first = int(torch.randint(1 << 20, ()))
        others = draw(general, special, DRAWN_PER_SIDE, torch.default_generator, first=first)
        vectors = self.label_vectors()
        true = self.geometry.energy(vectors[general - 1], vectors[special - 1])
        false = self.geometry.energy(vectors[others.general - 1], vectors[others.special - 1])
        lacking = max_margin_loss(true[:0], false.flatten(), margin=self.margin, valid=others.valid.flatten())
        return LabelEdges(true.sum(), lacking, LABEL_EDGES, LABEL_EDGES * 2 * DRAWN_PER_SIDE)

    @torch.no_grad()
    def state(self) -> dict[str, float]:
        if not len(self._edges):
            return {}
        vectors = self.label_vectors()
        nodes = (self._edges.general, self._edges.special)
        general, special = (vectors[torch.from_numpy(of).to(vectors.device) - 1] for of in nodes)
        return {"edge_energy": float(self.geometry.energy(general, special).mean())}

    @torch.no_grad()
    def own_step(self, lr: float) -> None:
        if not self.rsgd or self.points.grad is None:
            return
        self.geometry.descent(self.points, self.rate * lr).step()
        self.geometry.settle_(self.points)
        self.points.grad = None

    def space(self, threshold: float = 0.0) -> LabelSpace:
        """The label vectors as a queryable space."""
        return LabelSpace(self.taxonomy, self.label_vectors().detach().cpu(), self.geometry, threshold)


def label_vectors_of(
    points: Float[Tensor, "label dim"], geometry: Geometry, *, rate: float, rsgd: bool
) -> Float[Tensor, "label dim"]:
    """The label vectors that a parameter of :class:`EnergyHead` stands for.

    Args:
        points: The parameter.
        geometry: The geometry of the vectors.
        rate: Learning rate of the labels relative to that of the map.
        rsgd: Whether labels are updated by Riemannian SGD, and the parameter holds the vectors themselves.

    Example:
        >>> from cladewise.embeddings import make
        >>> label_vectors_of(torch.tensor([[2.0, 1.0]]), make("order"), rate=0.5, rsgd=False)
        tensor([[1.0000, 0.5000]])
    """
    points = at_least_float(points)
    return geometry.settled(points) if rsgd else geometry.placed(rate * points)


class ImageMap(nn.Module):
    r"""Map from features to vectors: a linear layer without bias, optionally after three hidden layers.

    .. math:: f(x) = W h(x) / \sqrt{H}

    where h, of width H, is the identity or three blocks of linear layer, ReLU and layer normalisation. Features of unit
    scale give vectors of length about 1, and one Adam step moves an image about as far as a label. Without the factor
    :math:`1/\sqrt{H}`, as in ``plain``, one step moves an image :math:`\sqrt{H}` times as far, so that learning rates
    are smaller by as much; larger ones move images to where energies have no gradient.

    Args:
        kind: ``linear``; ``layers`` for three hidden layers; or ``plain`` for a linear layer without the factor, with
            PyTorch's initial weights.
        num_features: Width of the features.
        dim: Dimensions of the vectors.

    Example:
        >>> ImageMap("linear", 50, 10)(torch.ones(1, 50)).shape
        torch.Size([1, 10])

    References: Dhall et al., CVPR Workshops 2020, section 4.2.3: W * CNN(x), which is ``plain``.
    """

    def __init__(self, kind: str, num_features: int, dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = num_features
        for _ in range(3 if kind == "layers" else 0):
            layers += [nn.Linear(width, LAYER_WIDTH), nn.ReLU(), nn.LayerNorm(LAYER_WIDTH)]
            width = LAYER_WIDTH
        self.hidden = nn.Sequential(*layers)
        self.last = nn.Linear(width, dim, bias=False)
        self.scale = 1.0
        if kind != "plain":
            self.scale = width**-0.5
            nn.init.normal_(self.last.weight, std=dim**-0.5)

    def forward(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        return self.scale * self.last(self.hidden(features))
