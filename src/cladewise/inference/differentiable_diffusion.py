"""Diffusion with a learned matrix."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Generator
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise import catalogue, ops, progress
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.inference.level_loss import level_loss, restraint_weights
from cladewise.inference.matrices import COPIES, FullMap, LeafMap, NeighbourMap, check_memory
from cladewise.inference.sources import Shift, Sources
from cladewise.predictions import LeafSoftmax, Prediction
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.tracing import is_traced

LARGEST_SEED = 2**32 - 1
SILENT_SECONDS = 2.0
"""Seconds of fitting after which a progress bar is shown."""


@contextlib.contextmanager
def _late_bar(text: str, total: int) -> Generator[Callable[[], None]]:
    """A function to call after each step; a progress bar appears if the steps take long."""
    begin, display = time.monotonic(), progress.bar()
    task = display.add_task(text, total=total)

    def advance() -> None:
        display.advance(task)
        if time.monotonic() - begin > SILENT_SECONDS:
            display.start()

    try:
        yield advance
    finally:
        display.stop()


@dataclasses.dataclass(frozen=True)
class DifferentiableDiffusion(Inference):
    r"""Scores of the leaves as a learnt linear function of the scores of all levels; summed up the tree.

    .. math:: z = A^\top f^0, \qquad \log p_v = \operatorname{LSE}_{l \in B(v)} z_l - \operatorname{LSE}_l z_l

    :math:`A` starts as the leaf columns of :math:`(1 - \alpha)(I - \alpha \bar W)^{-1}`, which is plain diffusion, and
    is fitted on cached scores by cross-entropy at every level and the restraint on wrong classes
    (:func:`~cladewise.inference.level_loss.level_loss`) with Adam. A part of the images is held out; the matrix with
    the least loss there, the one that is trained, is kept, plain diffusion among the candidates, and fitting stops when
    it has not improved for ``patience`` epochs. The same seed gives the same matrix. The scores that are diffused, and
    the shift, are as in :class:`~cladewise.inference.Diffusion`.

    Args:
        alpha: Rate of the diffusion that it starts from, in [0, 1).
        form: ``"full"``, every leaf from every node, as in the paper; or ``"neighbourhood"``, every leaf from the nodes
            within ``radius`` edges and its ancestors, for taxonomies whose full matrix does not fit.
        radius: Edges, in the form ``"neighbourhood"``; 2 reaches the siblings.
        levels: Levels whose scores are used.
        shift: ``"none"``, or ``"level-min"`` to subtract the lowest score of each level.
        restraint: Factor on the weights of the restraint; 0 leaves it out.
        level_weights: Weight of the cross-entropy at each level, coarse to fine; empty for 1 each.
        restraint_weights: Weight of the restraint at each level, coarse to fine; empty for the paper's, 10, 5, 3, 1,
            0.5, 0.2 and 0, counted up from the finest level.
        learning_rate: Largest change, in nats, of the score of a leaf in one Adam step, as a mean over the images: the
            same value then suits cosines and logits.
        batch_size: Images per step.
        epochs: Maximum number of passes over the images.
        patience: Epochs without improvement before it stops.
        held_out: Share of the images held out for early stopping, in (0, 1).
        memory: Maximum memory for learning the matrix, in gigabytes.
        seed: Seed of the held-out split and of the order of the images.
        matrix: The learned matrix.

    Raises:
        InputError: A parameter is out of range; when it is fitted, the matrix does not fit into ``memory``, or there
            are weights for another number of levels; when it is used, it was not fitted, or for scores of another
            width.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> scores = LeafSoftmax(t, torch.eye(3).repeat(10, 1))
        >>> rule = DifferentiableDiffusion(epochs=20).fit(scores, torch.tensor([2, 3, 5]).repeat(10))
        >>> rule.matrix.shape, bool((rule(scores).leaf_logits.argmax(-1) == scores.leaf_logits.argmax(-1)).all())
        (torch.Size([3, 3]), True)

    References: "Hierarchical classification via diffusion on manifolds", appendix B.2, which leaves the weights of the
        cross-entropies, the start, the optimiser and when to stop open; these are our choices, and so is the form
        ``"neighbourhood"``. Of its Eq. 8 see :func:`~cladewise.inference.level_loss.level_loss`.
    """

    name: ClassVar[str] = "differentiable-diffusion"
    fits_on: ClassVar[str] = "train"

    alpha: float = 0.3
    form: Literal["full", "neighbourhood"] = "full"
    radius: int = 2
    levels: str = "all"
    shift: Shift = "none"
    restraint: float = 1.0
    level_weights: tuple[float, ...] = ()
    restraint_weights: tuple[float, ...] = ()
    learning_rate: float = 0.3
    batch_size: int = 1024
    epochs: int = 100
    patience: int = 3
    held_out: float = 0.1
    memory: float = 4.0
    seed: int = 0
    matrix: Tensor | None = catalogue.fitted()  # noqa: RUF009 -- it is a field

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < 1:
            raise InputError("a diffusion rate alpha in [0, 1)", self.alpha)
        if self.form not in ("full", "neighbourhood"):
            raise InputError("a form: full, neighbourhood", repr(self.form))
        if self.shift not in ("none", "level-min"):
            raise InputError("shift among none, level-min", repr(self.shift))
        if not 0 < self.held_out < 1:
            raise InputError("a held-out part in (0, 1)", self.held_out)
        for option, least in (("radius", 0), ("epochs", 0), ("batch_size", 1), ("patience", 1)):
            if getattr(self, option) < least:
                raise InputError(f"{option} of {least} or more", getattr(self, option))
        for option in ("learning_rate", "memory"):
            if not 0 < getattr(self, option) < math.inf:
                raise InputError(f"a {option} above 0", getattr(self, option))
        if not 0 <= self.restraint < math.inf:
            raise InputError("restraint of 0 or more", self.restraint)
        for option in ("level_weights", "restraint_weights"):
            weights = tuple(getattr(self, option))
            if not all(0 <= weight < math.inf for weight in weights):
                raise InputError(f"{option} of 0 or more", ", ".join(map(str, weights)))
            object.__setattr__(self, option, weights)
        if self.level_weights and not (any(self.level_weights) or self.restraint):
            raise InputError("level_weights above 0 at one level at least", ", ".join(map(str, self.level_weights)))
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(f"a seed from 0 to {LARGEST_SEED}", self.seed)

    @property
    def is_fitted(self) -> bool:
        """Whether the matrix is known."""
        return self.matrix is not None

    def __call__(self, prediction: Prediction) -> Prediction:
        if self.matrix is None:
            raise InputError(
                f"a fitted {self.name}", "one that was not fitted", advice="Call fit with scores and true nodes."
            )
        sources = Sources.of(prediction, self.levels)
        leaf_map = self._leaf_map(prediction, sources)
        if self.matrix.shape != leaf_map.shape:
            raise InputError(
                f"scores like those that {self.name} was fitted on, a matrix {list(self.matrix.shape)}",
                f"scores that take {list(leaf_map.shape)}",
            )
        return LeafSoftmax(prediction.taxonomy, self._leaf_scores(prediction, sources, leaf_map, self.matrix))

    def about(self, prediction: Prediction) -> dict[str, str]:
        return Sources.of(prediction, self.levels).about(prediction, self.levels, self.shift)

    def fit(self, prediction: Prediction, target: Int[Tensor, " batch"]) -> Self:
        """A copy of the rule with the matrix fitted on these images.

        Args:
            prediction: Scores of the images, one batch axis.
            target: True nodes.
        """
        if prediction.batch_shape != target.shape or target.ndim != 1 or not len(target):
            raise InputError(
                "predictions and true nodes [batch]", f"{list(prediction.batch_shape)}, {list(target.shape)}"
            )
        with torch.inference_mode(False), torch.enable_grad():
            return dataclasses.replace(self, matrix=self._fitted(prediction.detach(), target.to(prediction.device)))

    def _fitted(self, prediction: Prediction, target: Tensor) -> Tensor:
        sources = Sources.of(prediction, self.levels)
        leaf_map = self._leaf_map(prediction, sources)
        taxonomy = prediction.taxonomy
        weights, restraint = self._weights(taxonomy.num_levels)
        order = torch.Generator().manual_seed(self.seed)
        images = torch.randperm(len(target), generator=order)
        kept_apart = min(len(target) - 1, max(1, round(self.held_out * len(target))))
        held, shown = images[:kept_apart], images[kept_apart:]
        held = held if len(held) else shown  # a single image has to do for both

        def losses(part: Tensor, matrix: Tensor) -> Tensor:
            rows = part.to(target.device)
            scores = self._leaf_scores(prediction[rows], sources, leaf_map, matrix)
            return level_loss(scores, target[rows], taxonomy, restraint, weights)

        def held_out_loss(matrix: Tensor) -> float:
            with torch.no_grad():
                return sum(float(losses(part, matrix).double().sum()) for part in held.split(self.batch_size))

        matrix = leaf_map.closed_form(self.alpha)
        if not matrix.numel():  # a tree of one node: nothing to learn
            return matrix
        matrix.requires_grad_()
        adam = torch.optim.Adam([matrix], lr=self.learning_rate / self._reach(prediction, sources, leaf_map))
        best, least, since = matrix.detach().clone(), held_out_loss(matrix), 0
        with _late_bar(self.name, self.epochs) as advance:
            for _ in range(self.epochs):
                for part in shown[torch.randperm(len(shown), generator=order)].split(self.batch_size):
                    adam.zero_grad()
                    losses(part, matrix).mean().backward()
                    adam.step()
                now = held_out_loss(matrix)
                since += 1
                if now < least:
                    best, least, since = matrix.detach().clone(), now, 0
                advance()
                if since >= self.patience:
                    break
        return best

    def _weights(self, num_levels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Weights of the cross-entropies and of the restraint, one per level.

        Raises:
            InputError: There are others than one per level.
        """
        for option in ("level_weights", "restraint_weights"):
            weights = getattr(self, option)
            if weights and len(weights) != num_levels:
                raise InputError(
                    f"{option} with one number per level of the tree, {num_levels}", f"{len(weights)}: {weights}"
                )
        published = restraint_weights(num_levels, 1.0)
        restraint = tuple(self.restraint * weight for weight in self.restraint_weights or published)
        return self.level_weights, restraint

    def _leaf_map(self, prediction: Prediction, sources: Sources) -> LeafMap:
        taxonomy, nodes = prediction.taxonomy, sources.nodes
        if self.form == "full":
            size = f"{len(nodes):,} nodes × {taxonomy.num_leaves:,} leaves"
            check_memory(size, len(nodes) * taxonomy.num_leaves, self.memory, "Choose form=neighbourhood.")
            return FullMap(taxonomy, nodes)
        most = int(self.memory / (4e-9 * COPIES))
        key = (
            "neighbourhood",
            self.radius,
            self.levels,
            most,
            type(prediction),
            repr(prediction.settings()),
            nodes.device,
        )
        return cached_for(taxonomy, key, lambda: NeighbourMap.within(self.radius, taxonomy, nodes, most))

    def _reach(self, prediction: Prediction, sources: Sources, leaf_map: LeafMap) -> float:
        """Largest change of a leaf's score if every entry of the matrix changes by 1, as a mean over the images."""
        total, ones = 0.0, torch.ones(leaf_map.shape, device=prediction.device)
        with torch.no_grad():
            for rows in torch.arange(len(prediction.logits), device=prediction.device).split(self.batch_size):
                values, _ = self._values(prediction[rows], sources)
                total += float(leaf_map(values.abs(), ones.to(values.dtype)).double().mean(-1).sum())
        return max(total / len(prediction.logits), torch.finfo(torch.float32).tiny)

    def _values(self, prediction: Prediction, sources: Sources) -> tuple[Tensor, Tensor]:
        """Inputs of the map, and a mask of absent scores."""
        raw = sources.raw(prediction)
        absent = raw == -torch.inf
        return sources.prepared(raw, self.shift), absent

    def _leaf_scores(self, prediction: Prediction, sources: Sources, leaf_map: LeafMap, matrix: Tensor) -> Tensor:
        values, absent = self._values(prediction, sources)
        scores = leaf_map(values, matrix.to(values.device, values.dtype))
        if not is_traced() and not bool(absent.any()):
            return scores
        closed = absent.new_zeros(*absent.shape[:-1], prediction.taxonomy.num_nodes)
        closed = closed.index_copy(-1, sources.nodes, absent)
        leaves = ops.tree_index(prediction.taxonomy, scores.device).leaf_nodes
        return scores.masked_fill(closed[..., leaves], -torch.inf)
