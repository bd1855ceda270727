"""A general prediction in which experts divide the probability of some branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.prediction import Coherence, Prediction
from cladewise.predictions.softmax import LeafSoftmax, NodeSoftmax
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.paths import SEPARATOR

IntArray = NDArray[np.int64]
Branch = TypeVar("Branch", bound=int | np.integer | str | tuple[str, ...])
_COHERENT = (Coherence.EXACT, Coherence.SUPERADDITIVE)


def with_experts(general: Prediction, experts: Mapping[Branch, Prediction]) -> Prediction:
    r"""One prediction from a general one and those of experts, each of which knows one branch of the tree.

    .. math:: p_v = p^{general}_b \, \frac{p^{expert}_v}{p^{expert}_b} \quad \text{for } v \text{ at or under } b

    for each branch :math:`b` with an expert; all other nodes keep the general probability. The general classifier
    decides how probable a branch is, and the expert what the image shows if it belongs there. The result is coherent:
    a :class:`LeafSoftmax` if all predictions are exact, otherwise a :class:`NodeSoftmax` of the masses at the nodes
    themselves, so every inference and decision applies to it.

    An expert may have been trained on the whole tree, on the branch with its full paths, or on a tree whose root is the
    branch. Where it gives the branch no probability at all, the general prediction stands.

    Args:
        general: The prediction over the whole tree.
        experts: A prediction for each branch, which is given by its node, name or path. Rows are the same images as
            those of ``general``.

    Raises:
        InputError: A branch is unknown, a leaf or inside another one, an expert has other nodes under it or other
            images, or a prediction is not coherent.

    Example:
        >>> t = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog",)])
        >>> general = LeafSoftmax(t, torch.tensor([[0.4, 0.4, 0.2]]).log())
        >>> cats = LeafSoftmax(Taxonomy.from_paths([("lion",), ("lynx",)]), torch.tensor([[0.1, 0.9]]).log())
        >>> with_experts(general, {"cat": cats}).log_prob.exp()
        tensor([[1.0000, 0.8000, 0.0800, 0.7200, 0.2000]])

    References: The aggregated coarse probabilities and the fine classifiers per category are those of Yan et al.,
        HD-CNN: hierarchical deep convolutional neural networks for large scale visual recognition, ICCV 2015,
        arXiv:1410.0736. There all classifiers share their first layers and are tuned together; here they are any
        classifiers, a branch without an expert is left to the general one, and nodes may own mass.
    """
    taxonomy = general.taxonomy
    branches = sorted(((_node(taxonomy, key), expert) for key, expert in experts.items()), key=lambda pair: pair[0])
    _check(general, branches)
    is_exact = all(each.coherence is Coherence.EXACT for each in (general, *(expert for _, expert in branches)))
    nodes = taxonomy.leaf_nodes if is_exact else np.arange(taxonomy.num_nodes)
    masses = _masses(general, torch.as_tensor(nodes.copy(), device=general.device), is_exact)
    parts: list[Tensor] = []
    done = 0
    for branch, expert in branches:
        start, end = np.searchsorted(nodes, [branch, taxonomy.end[branch]]).tolist()
        place = torch.as_tensor(_places(expert.taxonomy, taxonomy, branch), device=general.device)
        within = torch.as_tensor(nodes[start:end] - branch, device=general.device)
        own, kept = _masses(expert, place[within], is_exact), masses[..., start:end]
        route, whole = general.log_prob[..., [branch]], expert.log_prob[..., place[:1]]
        divided = route + own - whole.masked_fill(whole == -torch.inf, 0.0)
        parts += [masses[..., done:start], torch.where(whole == -torch.inf, kept, divided.to(kept.dtype))]
        done = end
    joint = torch.cat([*parts, masses[..., done:]], -1)
    return LeafSoftmax(taxonomy, joint) if is_exact else NodeSoftmax(taxonomy, joint)


def _node(taxonomy: Taxonomy, key: int | np.integer | str | tuple[str, ...]) -> int:
    if not isinstance(key, int | np.integer):
        return int(taxonomy.find(key))
    if not 0 <= key < taxonomy.num_nodes:
        raise InputError(f"branches that are nodes, 0 to {taxonomy.num_nodes - 1}", int(key))
    return int(key)


def _masses(prediction: Prediction, nodes: Int[Tensor, " k"], is_exact: bool) -> Float[Tensor, "*batch k"]:
    """Log-probability of being at some nodes themselves, which are leaves of an exact prediction."""
    log_prob = prediction.log_prob if is_exact else prediction.own_log_prob
    return ops.at_least_float(log_prob).index_select(-1, nodes)


def _check(general: Prediction, branches: Sequence[tuple[int, Prediction]]) -> None:
    taxonomy, outer = general.taxonomy, -1
    for branch, expert in branches:
        name = taxonomy.path_name(branch) or "the root"
        if taxonomy.is_leaf[branch]:
            raise InputError("branches with nodes below them", f"the leaf {name}")
        if outer >= 0 and branch < taxonomy.end[outer]:
            got = f"{name} inside {taxonomy.path_name(outer) or 'the root'}" if branch > outer else f"{name} twice"
            raise InputError("branches beside each other", got)
        if expert.batch_shape != general.batch_shape:
            got = f"{list(expert.batch_shape)} of {name} and {list(general.batch_shape)}"
            raise InputError("experts with a row for each image of the general prediction", got)
        outer = branch
    for prediction in (general, *(expert for _, expert in branches)):
        if prediction.coherence not in _COHERENT:
            raise InputError(
                "predictions whose parents are at least as probable as their children together",
                type(prediction).__name__,
                advice="Apply inference.BottomUp() to it first.",
            )


def _places(expert: Taxonomy, taxonomy: Taxonomy, branch: int) -> IntArray:
    """Node of the expert's tree for each node of a branch, in the branch's order.

    Raises:
        InputError: The expert has other nodes.
    """
    if expert == taxonomy:
        return np.arange(branch, taxonomy.end[branch])
    return cached_for(taxonomy, ("expert", branch, expert.fingerprint), lambda: _found(expert, taxonomy, branch))


def _found(expert: Taxonomy, taxonomy: Taxonomy, branch: int) -> IntArray:
    wanted, name = _paths_below(taxonomy, branch), str(path_texts(taxonomy)[branch])
    same = np.flatnonzero(path_texts(expert) == name)
    lost: list[str] = []
    for root in dict.fromkeys([*same.tolist(), 0]):
        paths = _paths_below(expert, root)
        known = dict(zip(paths, range(root, root + len(paths)), strict=True))
        lost = [path for path in wanted if path not in known]
        if not lost and len(known) == len(paths) == len(wanted):
            return np.array([known[path] for path in wanted], dtype=np.int64)
    got = f"one without {some(lost)}" if lost else f"{expert}, which has others"
    raise InputError(f"an expert of {name or 'the whole tree'} with its {len(wanted) - 1:,} nodes", got)


def _paths_below(taxonomy: Taxonomy, node: int) -> list[str]:
    """Paths of a node and of all nodes below it, from that node."""
    texts = path_texts(taxonomy)[node : taxonomy.end[node]].tolist()
    start = len(texts[0]) + len(SEPARATOR) if texts[0] else 0
    return ["", *(text[start:] for text in texts[1:])]
