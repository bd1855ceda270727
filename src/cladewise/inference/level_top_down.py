"""Level-top-down inference: the probabilities of each level, weighted by those of the level above."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.predictions import LeafSoftmax, LevelSoftmax, Prediction
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class LevelTopDown(Inference):
    r"""The probabilities of each level, multiplied by those of the parents and renormalised.

    .. math:: q^1 = p^1, \qquad q^l_v = \frac{p^l_v\, q^{l-1}_{\pi(v)}}{\sum_u p^l_u\, q^{l-1}_{\pi(u)}}

    With ``form="levels"`` this goes through all levels and gives a :class:`~cladewise.predictions.LevelSoftmax` whose
    levels are the :math:`\log q^l`; the probability of a node is the one at its own level, or that of a descendant
    where it is larger. With ``form="two-level"`` only the leaves are weighted, once, by the level above the finest, and
    their probabilities summed up the tree: a :class:`~cladewise.predictions.LeafSoftmax`. A leaf that a level repeats
    is its own parent there.

    Made for heads with a softmax per level. Other heads give the log-probabilities of their levels, which already
    contain those of the parents if coherent; the rule then sharpens them. :func:`hierarchical_ensemble` takes the upper
    level from another network.

    Args:
        form: ``"levels"`` or ``"two-level"``.

    Raises:
        InputError: There is no such form.

    Example:
        >>> from cladewise.predictions import LevelSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> p = LevelSoftmax(t, torch.tensor([[0.5, 0.5, 0.5, 0.25, 0.25]]).log())
        >>> LevelTopDown()(p).level_log_prob(2).log_prob.exp()
        tensor([[0.5000, 0.2500, 0.2500]])

    References: Jain et al., Test-time amendment with a coarse classifier for fine-grained classification, NeurIPS 2023,
        arXiv:2302.00368, is the two-level form with a separate coarse network. The diffusion paper applies it to seven
        levels of one network and does not say how; ``"levels"`` is our reading.
    """

    name: ClassVar[str] = "level-top-down"

    form: Literal["levels", "two-level"] = "levels"

    def __post_init__(self) -> None:
        if self.form not in ("levels", "two-level"):
            raise InputError("a form: levels, two-level", repr(self.form))

    def __call__(self, prediction: Prediction) -> Prediction:
        taxonomy, levels = prediction.taxonomy, prediction.own_levels
        given = [prediction.level_log_prob(level) for level in levels]
        if self.form == "two-level":
            given, levels = given[-2:], levels[-2:]
        done: list[Tensor] = []
        for place, (nodes, log_prob) in enumerate(given):
            if not place:
                done.append(log_prob if self.form == "two-level" else log_prob.log_softmax(-1))
                continue
            parent = _places(nodes, given[place - 1].nodes, taxonomy, levels[place - 1])
            done.append((log_prob + done[-1].index_select(-1, parent)).log_softmax(-1))
        if self.form == "two-level":
            return LeafSoftmax(taxonomy, done[-1] if done else prediction.leaf_scores())
        width = torch.cat(done, dim=-1) if done else prediction.log_prob[..., :0]
        return LevelSoftmax(taxonomy, width, levels)


def hierarchical_ensemble(fine: Prediction, coarse: Prediction) -> LeafSoftmax:
    r"""Leaf probabilities of one network, weighted by the parents' probabilities of another.

    .. math:: q_l = \frac{p^{fine}_l\, p^{coarse}_{\pi(l)}}{\sum_k p^{fine}_k\, p^{coarse}_{\pi(k)}}

    Args:
        fine: Prediction over the taxonomy whose leaves are wanted.
        coarse: Prediction of the same images: over the same taxonomy, or over one of the classes of its last but one
            level, as their own taxonomy. Nodes are then matched by their paths.

    Raises:
        InputError: The batches differ, or the coarse taxonomy lacks a class.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> top = Taxonomy.from_paths([("a",), ("d",)])
        >>> fine, coarse = LeafSoftmax(t, torch.zeros(1, 3)), LeafSoftmax(top, torch.tensor([[0.2, 0.8]]).log())
        >>> hierarchical_ensemble(fine, coarse).leaf_logits.exp()
        tensor([[0.1667, 0.1667, 0.6667]])

    References: Jain et al., NeurIPS 2023, arXiv:2302.00368.
    """
    if fine.batch_shape != coarse.batch_shape:
        raise InputError(
            f"a coarse prediction of the same images, {list(fine.batch_shape)}", f"{list(coarse.batch_shape)}"
        )
    taxonomy, device = fine.taxonomy, fine.device
    if taxonomy.num_levels < 2:
        raise InputError("a taxonomy with a level above the leaves", f"{taxonomy.num_levels} levels")
    leaves = ops.tree_index(taxonomy, device).leaf_nodes
    parents = taxonomy.at_level(taxonomy.num_levels - 1)[taxonomy.leaf_nodes]
    if coarse.taxonomy == taxonomy:
        above = coarse.level_log_prob(taxonomy.num_levels - 1)
        place = _places(leaves, above.nodes.to(device), taxonomy, taxonomy.num_levels - 1)
        weight = above.log_prob.to(device).index_select(-1, place)
    else:
        distinct, place = np.unique(parents, return_inverse=True)
        named = torch.tensor([coarse.taxonomy.find(taxonomy.path_names(int(v))) for v in distinct], device=device)
        weight = coarse.log_prob.to(device).index_select(-1, named[torch.as_tensor(place, device=device)])
    return LeafSoftmax(taxonomy, (fine.log_prob.index_select(-1, leaves) + weight).log_softmax(-1))


def _places(nodes: Tensor, above: Tensor, taxonomy: Taxonomy, level: int) -> Tensor:
    """Positions, among the nodes ``above`` of a level, of the representatives of other nodes."""
    key = ("representatives", level, nodes.device)
    representative = cached_for(taxonomy, key, lambda: torch.as_tensor(taxonomy.at_level(level), device=nodes.device))
    places = above.new_zeros(taxonomy.num_nodes).index_copy(0, above, torch.arange(above.shape[0], device=nodes.device))
    return places[representative[nodes]]
