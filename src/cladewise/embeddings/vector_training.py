"""Training of label vectors, one epoch at a time, with a state that can be saved and restored."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cladewise.embeddings.hypernym_edges import EdgeSplits
from cladewise.embeddings.hypernyms import HypernymTask
from cladewise.embeddings.label_geometry import Geometry
from cladewise.embeddings.max_margin import max_margin_loss
from cladewise.embeddings.negatives import NegativeSampler
from cladewise.embeddings.poincare_start import poincare_vectors
from cladewise.errors import InputError
from cladewise.records import EmbeddingConfig
from cladewise.taxonomy import Taxonomy

CHUNK = 1 << 16
"""Edges whose negatives are drawn at a time."""


class VectorTraining:
    """Trains label vectors with the max-margin loss over edges and negative edges, and keeps the best on val.

    Each epoch draws its order and its negatives from its own generator, so the result of an epoch depends only on the
    state before it.

    Args:
        taxonomy: The label tree.
        geometry: The geometry of the vectors.
        splits: The edges.
        config: All other settings.
        device: Device of the vectors.
        progress: Show progress bars.

    Raises:
        InputError: The geometry does not support the initial vectors of the configuration.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        geometry: Geometry,
        splits: EdgeSplits,
        config: EmbeddingConfig,
        *,
        device: torch.device | str = "cpu",
        progress: bool = True,
    ) -> None:
        if config.initial == "poincare" and not geometry.curvature:
            raise InputError(
                "initial vectors that the geometry has", "poincare", advice='Take geometry="hyperbolic" with them.'
            )
        self.geometry, self.config = geometry, config
        self._general, self._special = (
            torch.tensor(nodes, device=device) for nodes in (splits.train.general, splits.train.special)
        )
        self._draw = NegativeSampler(taxonomy, config.negatives, device=device)  # type: ignore[arg-type]
        self.task = HypernymTask(taxonomy, splits, seed=config.seed, device=device)
        generator = torch.Generator().manual_seed(config.seed)
        if config.initial == "poincare":
            start = poincare_vectors(taxonomy, splits.train, config.dim, generator, progress=progress)
        else:
            start = geometry.start(taxonomy.num_nodes - 1, config.dim, generator)
        self._vectors = nn.Parameter(geometry.settled(start).to(device))
        self._optimizer = geometry.optimizer(self._vectors, config.lr)
        self.epoch = 0
        self._best, self._best_epoch, self._best_f1 = self._vectors.detach().clone(), 0, -1.0

    @property
    def vectors(self) -> Tensor:
        """The best vectors so far, by F1 of hypernym prediction on val; the latest if val is empty."""
        return self._best

    @property
    def best_epoch(self) -> int:
        """Number of epochs that the best vectors were trained for."""
        return self._best_epoch

    def run_epoch(self) -> dict[str, float]:
        """Run one pass over the edges. Returns the loss per edge and, if evaluated, the F1 on val."""
        config = self.config
        generator = torch.Generator().manual_seed((config.seed << 32) + self.epoch + 1)
        order = torch.randperm(len(self._general), generator=generator).to(self._general.device)
        total = 0.0
        for start in range(0, len(order), CHUNK):
            total += self._run_edges(order[start : start + CHUNK], start, generator)
        self.epoch += 1
        report = {"train_loss": total / len(order)}
        if self.epoch % config.evaluate_every == 0 or self.epoch == config.epochs:
            report |= self._keep_best()
        return report

    def _run_edges(self, edges: Tensor, first: int, generator: torch.Generator) -> float:
        config = self.config
        general, special = self._general[edges], self._special[edges]
        others = self._draw(general, special, config.num_negatives, generator, first=first)
        total = torch.zeros((), dtype=torch.float64, device=general.device)
        for start in range(0, len(edges), config.batch_size):
            batch = slice(start, start + config.batch_size)
            above = torch.cat([general[batch], others.general[batch].flatten()]) - 1
            below = torch.cat([special[batch], others.special[batch].flatten()]) - 1
            energy, count = self.geometry.energy(self._vectors[above], self._vectors[below]), len(general[batch])
            loss = max_margin_loss(
                energy[:count], energy[count:], margin=config.margin, valid=others.valid[batch].flatten()
            )
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            with torch.no_grad():
                self.geometry.settle_(self._vectors)
            total += loss.detach()
        return float(total)

    def _keep_best(self) -> dict[str, float]:
        if not self.task.has_edges:
            self._best, self._best_epoch = self._vectors.detach().clone(), self.epoch
            return {}
        f1 = self.task.scores(self.geometry, self._vectors.detach()).val.f1
        if f1 >= self._best_f1:
            self._best, self._best_epoch, self._best_f1 = self._vectors.detach().clone(), self.epoch, f1
        return {"val_f1": f1}

    def state(self) -> dict[str, Tensor]:
        """Everything needed to resume, as tensors."""
        moments = self._optimizer.state_dict()["state"].get(0, {})
        return {
            "vectors": self._vectors.detach().cpu(),
            "best": self._best.cpu(),
            "best_f1": torch.tensor(self._best_f1, dtype=torch.float64),
            "best_epoch": torch.tensor(self._best_epoch),
            "epoch": torch.tensor(self.epoch),
            **{f"optimizer.{name}": value.cpu() for name, value in moments.items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Resume from a :meth:`state`."""
        with torch.no_grad():
            self._vectors.copy_(state["vectors"])
        self._best = state["best"].to(self._vectors.device)
        self._best_f1, self._best_epoch = float(state["best_f1"]), int(state["best_epoch"])
        self.epoch = int(state["epoch"])
        start = "optimizer."
        moments = {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
        if moments:
            kept = self._optimizer.state_dict()
            self._optimizer.load_state_dict({**kept, "state": {0: moments}})
