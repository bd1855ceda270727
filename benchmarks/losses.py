"""Time of the losses, forward and backward, relative to flat cross-entropy over the leaves in the same run.

Next to each time are two checks of correctness: the error of loss and gradient at a logit scale of 40 against the
same formula in double precision (computing in probability space fails here), and the error of the double-precision
gradient against automatic differentiation of the masked sums.

The cases alternate, and a ratio is the median over the rounds of the ratio within a round, so that other load affects
both sides.

    python benchmarks/losses.py --tree inat21 --batch 256 --repeats 30
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cladewise import losses, ops
from cladewise.losses import FlatSoftmaxLoss, HACELoss, HXELoss, Loss, ancestral_weights
from cladewise.ops.kernels import has_kernels, without_kernels
from cladewise.taxonomy import Taxonomy

LEVEL_SIZES = {
    "small": (3, 10, 40, 120),
    "inat18": (6, 25, 57, 273, 1120, 4412, 8142),
    "inat21": (3, 13, 51, 273, 1103, 4900, 10000),
}


def with_a_long_tail(loss: Loss) -> Loss:
    """The loss for leaves with 1 to 1,000 training images, falling exponentially."""
    taxonomy = loss.taxonomy
    images = torch.zeros(taxonomy.num_nodes, dtype=torch.int64)
    images[torch.tensor(taxonomy.leaf_nodes)] = torch.logspace(3, 0, taxonomy.num_leaves).long()
    return loss.for_labels(images)


OTHERS: dict[str, Callable[[Taxonomy], Loss]] = {
    "HXELoss, conditional logits": lambda taxonomy: HXELoss(taxonomy, 0.1, logits="conditional"),
    "ConditionalSoftmaxLoss": losses.ConditionalSoftmaxLoss,
    "PSSoftmaxLoss": losses.PSSoftmaxLoss,
    "DeepRTCLoss": losses.DeepRTCLoss,
    "DeepRTCLoss, random cuts": lambda taxonomy: losses.DeepRTCLoss(taxonomy, rho=0.1),
    "DescendantSoftmaxLoss": losses.DescendantSoftmaxLoss,
    "SoftMaxMarginLoss": losses.SoftMaxMarginLoss,
    "DualMarginLoss": lambda taxonomy: with_a_long_tail(losses.DualMarginLoss(taxonomy)),
    "DualMarginLoss, no rival margins": lambda taxonomy: with_a_long_tail(losses.DualMarginLoss(taxonomy, rival=0.0)),
    "LogitAdjustedLoss, flat": lambda taxonomy: with_a_long_tail(losses.LogitAdjustedLoss(FlatSoftmaxLoss(taxonomy))),
    "LevelSoftmaxLoss": losses.LevelSoftmaxLoss,
    "TreePathLoss": losses.TreePathLoss,
    "TreePathLoss, smoothed": lambda taxonomy: losses.TreePathLoss(taxonomy, smoothing=0.1),
    "MarginalSoftmaxLoss": losses.MarginalSoftmaxLoss,
    "MultilabelSoftMarginLoss": losses.MultilabelSoftMarginLoss,
    "ConditionalSigmoidLoss": losses.ConditionalSigmoidLoss,
    "MultilabelFocalLoss": losses.MultilabelFocalLoss,
    "SoftLabelLoss": losses.SoftLabelLoss,
    "HACESoftLoss": losses.HACESoftLoss,
    "HierCOSLoss": losses.HierCOSLoss,
}
"""Losses whose reference is the same code in plain torch and double precision."""
DENSE_BATCH = 16
"""Images given to the dense and masked baselines, whose cost grows with nodes × leaves or images × depth × nodes."""


def synthetic_tree(sizes: tuple[int, ...], only_children: float = 0.6, seed: int = 0) -> Taxonomy:
    """A random tree with given level sizes and about the given share of internal nodes with one child."""
    generator = np.random.default_rng(seed)
    parents, first, count = [np.array([-1])], 0, 1
    for size in sizes:
        above = parents[-1].size
        many = np.flatnonzero(generator.random(above) >= only_children)
        many = many if many.size else np.arange(above)
        chosen = np.concatenate([np.arange(above), generator.choice(many, size - above)])
        parents.append(chosen + first)
        first, count = count, count + size
    return Taxonomy.from_parents(np.concatenate(parents), [str(node) for node in range(count)])


LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Case:
    """A benchmark case: a loss on logits of some width, a reference with the same value, and the largest batch."""

    name: str
    width: int
    loss: LossFunction
    twin: LossFunction
    batch: int


def masked_path(logits: Tensor, target: Tensor, taxonomy: Taxonomy, *, leaves: bool) -> Tensor:
    """Log-sum-exp at every ancestor by a mask over all columns: the straightforward implementation."""
    index = ops.tree_index(taxonomy, logits.device)
    path = ops.ancestors(target, taxonomy)
    path = torch.where(path >= 0, path, target[:, None])
    low, high = (index.leaf_start, index.leaf_end) if leaves else (torch.arange(taxonomy.num_nodes), index.end)
    column = torch.arange(logits.shape[1])
    places = []
    for node in path.unbind(1):
        inside = (column >= low[node, None]) & (column < high[node, None])
        places.append(logits.masked_fill(~inside, -torch.inf).logsumexp(1))
    return torch.stack(places, 1)


def masked_hxe(taxonomy: Taxonomy, alpha: float) -> LossFunction:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        path = masked_path(logits, target, taxonomy, leaves=True)
        discount = torch.exp(-alpha * torch.arange(taxonomy.max_depth, dtype=path.dtype))
        return ((path[:, :-1] - path[:, 1:]) * discount).sum(1)

    return loss


def masked_hace(taxonomy: Taxonomy, dilution: float) -> LossFunction:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        path = masked_path(logits, target, taxonomy, leaves=False)
        weights = ancestral_weights(target, taxonomy, dilution=dilution, dtype=logits.dtype)
        return ((path[:, :1] - path) * weights).sum(1)

    return loss


def dense_hace(taxonomy: Taxonomy, dilution: float) -> LossFunction:
    """The authors' implementation: probabilities times a node × node matrix."""
    nodes = torch.arange(taxonomy.num_nodes)
    under = ops.is_ancestor(nodes[None, :], nodes[:, None], taxonomy).float()

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        mass = logits.softmax(1) @ under.to(logits.dtype)
        weights = ancestral_weights(target, taxonomy, dilution=dilution, dtype=logits.dtype)
        path = ops.ancestors(target, taxonomy)
        return -((mass + 1e-6).log().gather(1, path.clamp(min=0)) * weights).sum(1)

    return loss


def smooth_hace(taxonomy: Taxonomy, dilution: float, smoothing: float) -> LossFunction:
    """HACE-smooth by a target over the leaves, propagated up the path of each; level by level in double precision."""
    leaves = torch.tensor(taxonomy.leaf_nodes)
    path = ops.ancestors(leaves, taxonomy)
    column = ancestral_weights(leaves, taxonomy, dilution=dilution, dtype=torch.float64)

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        position = ops.tree_index(taxonomy, logits.device).leaf_start[target]
        share = smoothing / (leaves.numel() - 1)
        wanted = logits.new_full((len(target), leaves.numel()), share)
        wanted.scatter_(1, position[:, None], 1.0 - smoothing)
        full = logits.new_zeros(len(target), taxonomy.num_nodes)
        for place in range(path.shape[1]):
            here = path[:, place] >= 0
            full.index_add_(1, path[here, place], wanted[:, here] * column[here, place].to(logits.dtype))
        log_mass = ops.subtree_logsumexp(logits, taxonomy)
        return ((log_mass[:, :1] - log_mass) * full).sum(1)

    return loss


def cases(taxonomy: Taxonomy, batch: int, naive: bool) -> list[Case]:
    leaf, node = taxonomy.num_leaves, taxonomy.num_nodes
    position = ops.tree_index(taxonomy, "cpu").leaf_start

    def flat(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits, position[target], reduction="none")

    few = min(batch, DENSE_BATCH)
    hxe, hace = masked_hxe(taxonomy, 0.1), masked_hace(taxonomy, 0.5)
    chosen = [
        Case("flat cross-entropy", leaf, flat, flat, batch),
        Case("FlatSoftmaxLoss", leaf, FlatSoftmaxLoss(taxonomy), flat, batch),
        Case("HXELoss", leaf, HXELoss(taxonomy, 0.1), hxe, batch),
        Case("HACELoss", node, HACELoss(taxonomy, 0.5), hace, batch),
        Case("HACE-smooth", node, HACELoss(taxonomy, 0.5, smoothing=0.1), smooth_hace(taxonomy, 0.5, 0.1), batch),
    ]
    for name, make in OTHERS.items():
        loss = make(taxonomy)
        chosen.append(Case(name, loss.num_outputs, seeded(loss), seeded(in_torch(loss)), batch))
    if has_kernels(torch.zeros(1)):
        for name, twin in (
            ("FlatSoftmaxLoss", flat),
            ("HXELoss", hxe),
            ("HACELoss", hace),
            ("ConditionalSoftmaxLoss", None),
            ("HACE-smooth", None),
            ("HACESoftLoss", None),
            ("DeepRTCLoss, random cuts", None),
        ):
            case = next(case for case in chosen if case.name == name)
            chosen.append(
                Case(f"{name}, plain torch", case.width, in_torch(case.loss), twin or case.twin, batch),
            )
    if naive:
        chosen += [
            Case("HXELoss, masked sums", leaf, hxe, hxe, few),
            Case("HACELoss, masked sums", node, hace, hace, few),
            Case("HACELoss, dense product", node, dense_hace(taxonomy, 0.5), hace, few),
        ]
        peer = peer_softmax(taxonomy, batch)
        chosen += [peer] if peer else []
    return chosen


def in_torch(loss: LossFunction) -> LossFunction:
    """The loss without compiled kernels, which are selected in the forward pass."""

    def plain(logits: Tensor, target: Tensor) -> Tensor:
        with without_kernels():
            return loss(logits, target)

    return plain


def seeded(loss: LossFunction) -> LossFunction:
    """The loss with the same random numbers in every call, for losses that draw any."""

    def again(logits: Tensor, target: Tensor) -> Tensor:
        torch.manual_seed(0)
        return loss(logits, target)

    return again


def peer_softmax(taxonomy: Taxonomy, batch: int) -> Case | None:
    """The package ``hierarchicalsoftmax``, if installed (timed only). Its loss is that of ConditionalSoftmaxLoss."""
    try:
        from hierarchicalsoftmax import HierarchicalSoftmaxLoss, SoftmaxNode
    except ImportError:
        return None
    nodes: list[SoftmaxNode] = []
    for name, parent in zip(taxonomy.names.tolist(), taxonomy.parents.tolist(), strict=True):
        nodes.append(SoftmaxNode(name, parent=nodes[parent] if parent >= 0 else None))
    nodes[0].set_indexes()
    loss = HierarchicalSoftmaxLoss(root=nodes[0])
    identity = torch.tensor([nodes[0].node_to_id.get(node, 0) for node in nodes])
    return Case(
        "hierarchicalsoftmax (PyPI)",
        int(nodes[0].layer_size),
        lambda logits, target: loss(logits, identity[target]) * len(target),
        lambda logits, target: torch.tensor(torch.nan),
        batch,
    )


def seconds(case: Case, logits: Tensor, target: Tensor) -> float:
    logits.grad = None
    begin = time.perf_counter()
    case.loss(logits, target).sum().backward()
    return (time.perf_counter() - begin) / case.batch


def ratio(times: list[float], units: list[float]) -> float:
    return statistics.median(time / unit for time, unit in zip(times, units, strict=False))


def sample(case: Case, taxonomy: Taxonomy, scale: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(case.batch, case.width, generator=generator)
    target = torch.tensor(taxonomy.leaf_nodes)[torch.randint(taxonomy.num_leaves, (case.batch,), generator=generator)]
    return logits.to(dtype).requires_grad_(), target


def errors(case: Case, taxonomy: Taxonomy, *, scale: float, dtype: torch.dtype) -> tuple[float, float]:
    """Largest relative error of the loss and absolute error of the gradient, against double precision."""
    small = dataclasses.replace(case, batch=min(case.batch, DENSE_BATCH))
    logits, target = sample(small, taxonomy, scale, dtype)
    exact = logits.detach().double().requires_grad_()
    value, wanted = case.loss(logits, target), case.twin(exact, target)
    if wanted.isnan().any():
        return float("nan"), float("nan")
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    (exact_gradient,) = torch.autograd.grad(wanted.sum(), exact)
    loss_error = ((value - wanted).abs() / wanted.abs().clamp(min=1e-3)).detach().max()
    return float(loss_error), float((gradient - exact_gradient).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", choices=LEVEL_SIZES, default="inat21")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--no-naive", action="store_true", help="skip the slow baselines")
    options = parser.parse_args()

    taxonomy = synthetic_tree(LEVEL_SIZES[options.tree])
    everything = cases(taxonomy, options.batch, not options.no_naive)
    times: dict[str, list[float]] = {case.name: [] for case in everything}
    unsafe: dict[str, list[float]] = {case.name: [] for case in everything}
    usual = {case.name: sample(case, taxonomy, 1.0, torch.float32) for case in everything}
    large = {case.name: sample(case, taxonomy, 40.0, torch.float32) for case in everything}
    for case in everything:  # warm up: index tensors, memory
        seconds(case, *usual[case.name])
    for repeat in range(options.repeats):  # interleaved, so that other load affects all of them
        for case in everything:
            if repeat < 3 or case.batch == options.batch:
                times[case.name].append(seconds(case, *usual[case.name]))
                unsafe[case.name].append(seconds(case, *large[case.name]))

    only = int((taxonomy.num_children == 1).sum()) / int((taxonomy.num_children > 0).sum())
    table = Table(
        title=f"{options.tree}: {taxonomy.num_nodes} nodes, {taxonomy.num_leaves} leaves, {only:.0%} of internal nodes "
        f"with one child; batch {options.batch}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"kernels {'compiled' if has_kernels(torch.zeros(1)) else 'absent'}",
        caption="ratios: time per image, forward and backward, relative to flat cross-entropy, same round; medians",
    )
    headings = ("", "× flat CE", "× at scale 40", "loss error at 40", "gradient error at 40", "float64 gradient")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "" else "right")
    for case in everything:
        loss_error, gradient_error = errors(case, taxonomy, scale=40.0, dtype=torch.float32)
        _, double_error = errors(case, taxonomy, scale=1.0, dtype=torch.float64)
        table.add_row(
            case.name,
            *(f"{ratio(kind[case.name], kind['flat cross-entropy']):.2f}" for kind in (times, unsafe)),
            *(f"{error:.0e}" for error in (loss_error, gradient_error, double_error)),
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
