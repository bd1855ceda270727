"""Priors: how often each label is to be expected where or when an image was taken."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.inference.keys import parse_key
from cladewise.inference.node_files import version
from cladewise.inference.prior_table import SHOWN, PriorTable, read_prior, training_shares
from cladewise.inference.weighing import weighed
from cladewise.predictions import LeafWeights, Prediction
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Prior(Inference):
    r"""Weighs the leaves by how often they are to be expected, by region, month or any other column of the image.

    .. math:: p'_l \propto p_l \Big(\frac{w_{key}(l)}{w_{train}(l)}\Big)^{s}

    where :math:`w_{key}(l)` is the weight of the leaf in the row of the table with the image's key: the one of its
    nearest listed ancestor-or-self. With strength :math:`s = 1`, shares of the labels there as weights and those in
    training as :math:`w_{train}`, it is Bayes' rule for images whose appearance does not depend on the key. A weight of
    0 rules out, so a table of zeros and ones is a :class:`~cladewise.inference.Subset` for each key, and heads that are
    not made of leaves are treated as there: see :class:`~cladewise.predictions.LeafWeights`; sigmoids are reduced to
    their leaves if there are other weights than 0 and 1.

    A key is the name of a column, ``month`` (of a column with this name, or of a date), ``country`` (of such a column,
    by its code or name, or of coordinates) or ``h3:5``, the H3 cell of coordinates at a resolution, for which the table
    may list larger cells. An image whose key is blank or not in the table keeps its prediction.

    Args:
        table: A table with a column per key and ``label`` and ``weight``, or with a column per key and per node; see
            :func:`~cladewise.inference.prior_table.read_prior`.
        key: The keys; none for one prior for all images.
        strength: Exponent :math:`s` of the weights, above 0.
        training: ``counts.csv`` of the run, or a table with ``label`` and ``weight``; by default all leaves count as
            equally frequent in training.
        unlisted: Weight of leaves that the table lists neither themselves nor by an ancestor; required if there are
            any.
        unknown: ``keep``, or ``refuse`` for an error where the key of an image is blank or not in the table.

    Raises:
        InputError: The table, a key or an option cannot be used, or an earlier rule ruled out all leaves with a weight.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> path = getfixture("tmp_path") / "prior.csv"
        >>> _ = path.write_text("region,label,weight\nnorth,bird,3\nnorth,moth,1\n")
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> even = LeafSoftmax(t, torch.zeros(2, 3))
        >>> rule = Prior(path, key=("region",)).bound(pl.DataFrame({"region": ["north", "west"]}))
        >>> rule(even).log_prob.exp()[:, t.find("moth")]
        tensor([0.1429, 0.3333])

    References: Saerens et al., Adjusting the outputs of a classifier to new a priori probabilities, Neural Computation
        14(1), 2002, equation 2.4, here with an exponent and per key; Mac Aodha et al., Presence-only geographical
        priors, ICCV 2019, arXiv:1906.05272, equation 3, whose prior is a network's.
    """

    name: ClassVar[str] = "prior"

    table: str | Path = ""
    key: tuple[str, ...] = ()
    strength: float = 1.0
    training: str | Path = ""
    unlisted: float | None = None
    unknown: Literal["keep", "refuse"] = "keep"

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", str(self.table))
        object.__setattr__(self, "training", str(self.training))
        object.__setattr__(self, "key", (self.key,) if isinstance(self.key, str) else tuple(self.key))
        if not (self.strength > 0 and math.isfinite(self.strength)):
            raise InputError("a strength above 0", self.strength)
        if self.unlisted is not None and not (self.unlisted >= 0 and math.isfinite(self.unlisted)):
            raise InputError("a weight of at least 0 for what is unlisted", self.unlisted)
        for key in self.key:
            parse_key(key)

    @property
    def needs_columns(self) -> bool:
        """Whether there are keys."""
        return bool(self.key)

    def __call__(self, prediction: Prediction) -> Prediction:
        if self.key:
            raise InputError(
                f"columns with {', '.join(self.key)} of each image",
                "the prediction alone",
                at=self.handle,
                advice="Give it as inference=, before the decision; elsewhere, bind it: rule.bound(columns).",
            )
        return _weighed(self, prediction, np.zeros(1, dtype=np.int64))

    def bound(self, columns: pl.DataFrame) -> Inference:
        """The rule for images with these columns, one row per image.

        Raises:
            InputError: A column is missing, or a key is unknown and that is refused.
        """
        return BoundPrior(self, columns)

    def notes(self, columns: pl.DataFrame, taxonomy: Taxonomy) -> tuple[str, ...]:
        """A sentence about images whose key is blank or not in the table.

        Raises:
            InputError: A column is missing.
        """
        unknown = np.flatnonzero(self.read(taxonomy).find(columns) < 0)
        if not unknown.size:
            return ()
        shown = "; ".join(self.shown(columns, unknown))
        number = f"{unknown.size:,} of {len(columns):,} images"
        return (f"{number} have keys that are not in {self.table}, and keep their predictions: {shown}",)

    def shown(self, columns: pl.DataFrame, rows: np.ndarray) -> list[str]:
        """The first few distinct keys of some images."""
        keys = [parse_key(key).of_images(columns)[rows] for key in self.key]
        distinct = pl.DataFrame(dict(zip(self.key, keys, strict=True))).unique(maintain_order=True)
        shown = [
            ", ".join("(blank)" if cell is None else str(cell) for cell in row) for row in distinct.head(SHOWN).rows()
        ]
        return [*shown, "..."] if len(distinct) > SHOWN else shown

    def read(self, taxonomy: Taxonomy) -> PriorTable:
        """The table over a tree; read once per tree.

        Raises:
            InputError: There is none, or it cannot be used.
        """
        if not self.table:
            raise InputError("a table of weights", "none", at=self.name, advice="Give table=FILE.")
        keys = tuple(map(parse_key, self.key))
        built = ("prior table", version(self.table), self.key, self.unlisted)
        return cached_for(taxonomy, built, lambda: read_prior(self.table, taxonomy, keys, unlisted=self.unlisted))

    def log_weights(self, taxonomy: Taxonomy, rows: np.ndarray) -> Float[np.ndarray, "row leaf"]:
        """Logarithms of the weights in some rows of the table; -inf where they rule out."""
        logs = self.read(taxonomy).log_weights(rows)
        return (self.strength * (logs - self._log_training(taxonomy))).astype(np.float32)

    def only_cuts(self, taxonomy: Taxonomy) -> bool:
        """Whether the weights are all 0 or the same."""
        return not self.training and self.read(taxonomy).only_cuts

    def _log_training(self, taxonomy: Taxonomy) -> np.ndarray:
        if not self.training:
            return np.zeros(taxonomy.num_leaves)
        built = ("training shares", version(self.training))
        return cached_for(taxonomy, built, lambda: np.log(training_shares(self.training, taxonomy)))


@dataclasses.dataclass(frozen=True)
class BoundPrior(Inference):
    """A prior for the images with given columns. Made by :meth:`Prior.bound`."""

    prior: Prior
    columns: pl.DataFrame = dataclasses.field(repr=False, compare=False)

    @property
    def handle(self) -> str:
        """The handle of the prior."""
        return self.prior.handle

    def __call__(self, prediction: Prediction) -> Prediction:
        prediction = prediction.settled()
        if prediction.batch_shape != (len(self.columns),):
            raise InputError(f"a prediction for {len(self.columns)} images", f"one of {list(prediction.batch_shape)}")
        rows = self.prior.read(prediction.taxonomy).find(self.columns)
        unknown = np.flatnonzero(rows < 0)
        if unknown.size and self.prior.unknown == "refuse":
            raise InputError(
                f"keys that are in {self.prior.table}",
                f"others for {unknown.size} images: {'; '.join(self.prior.shown(self.columns, unknown))}",
                advice="Add them, or give unknown=keep to leave these predictions as they are.",
            )
        return _weighed(self.prior, prediction, rows)


def _weighed(prior: Prior, prediction: Prediction, rows: np.ndarray) -> Prediction:
    """The prediction with the weights of these rows of the table; -1 for images that keep theirs."""
    prediction, taxonomy = prediction.settled(), prediction.taxonomy
    distinct, place = np.unique(rows, return_inverse=True)
    logs = np.zeros((len(distinct), taxonomy.num_leaves), dtype=np.float32)
    known = distinct >= 0
    if known.any():
        logs[known] = prior.log_weights(taxonomy, distinct[known])
    table = torch.from_numpy(logs).to(prediction.device)
    by_image: Tensor = table[torch.from_numpy(place.reshape(-1)).to(prediction.device)] if prior.key else table[0]
    return weighed(prediction, LeafWeights(taxonomy, by_image, only_cuts=prior.only_cuts(taxonomy)))
