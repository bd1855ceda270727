"""A loss as training loops call it: mean over the batch, class indices as targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.decisions import Decision
from cladewise.errors import InputError
from cladewise.loops.classes import class_nodes
from cladewise.losses import Loss
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

    from cladewise.loops.trainer_metrics import TrainerMetrics

Reduction = Literal["mean", "sum", "none"]
METRICS = ("top1", "level_accuracy", "severity", "correct")
"""Metrics that are computed if none are named."""
MOST_CLASSES = 8
"""Largest number of classes with a share of a soft target."""


class Criterion(nn.Module):
    r"""A loss with the interface of :class:`torch.nn.CrossEntropyLoss`.

    .. math:: \frac{1}{n} \sum_i \ell(z_i, t_{c_i})

    with :math:`\ell` the loss in nats, :math:`c` the class index of an image and :math:`t_c` the node of a class. For a
    soft target, a row of shares :math:`s_{ic}` of at most eight classes as mixup and CutMix make it, the loss of an
    image is :math:`\sum_c s_{ic} \ell(z_i, t_c)`.

    The model has :attr:`num_outputs` outputs. Where every class has exactly one logit of its own, the first outputs are
    those of the classes in the order of their indices, followed by the rest of the tree, so that code that compares
    ``output.argmax(1)`` with the class index counts right answers for a softmax over leaves or nodes. Otherwise outputs
    are in the order of the loss. :attr:`output_names` lists them.

    Args:
        loss: The loss. Adapt one that depends on label frequencies first, with :meth:`Loss.for_labels`.
        classes: Classes of the dataset, as :func:`class_nodes` reads them; ``None``: targets are nodes, and outputs in
            the order of the loss.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for one value per image.

    Raises:
        InputError: A class is not in the tree, two are the same node, or there is no such reduction.

    Example:
        >>> from cladewise.losses import FlatSoftmaxLoss
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> criterion = Criterion(FlatSoftmaxLoss(t), classes={"moth": 0, "robin": 1, "wren": 2})
        >>> criterion.output_names
        ['moth', 'bird/robin', 'bird/wren']
        >>> logits = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
        >>> logits.argmax(1), criterion(logits, torch.tensor([0, 2]))
        (tensor([0, 2]), tensor(0.0654))
        >>> criterion.prediction(logits).log_prob.exp()[:, t.find("bird")]
        tensor([0.0353, 0.9547])
    """

    nodes: Tensor | None
    order: Tensor | None

    def __init__(self, loss: Loss, classes: Any = None, *, reduction: Reduction = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise InputError("a reduction: mean, sum, none", repr(reduction))
        if not isinstance(loss, Loss):  # pyright: ignore[reportUnnecessaryIsInstance] -- names, classes, other losses
            advice = "Such as cladewise.losses.HACELoss(taxonomy)."
            raise InputError("a loss of cladewise.losses", f"{loss!r:.60}", at="loss", advice=advice)
        self.loss, self.reduction = loss, reduction
        nodes = None if classes is None else torch.from_numpy(class_nodes(classes, loss.taxonomy).copy())
        self.register_buffer("nodes", nodes, persistent=False)
        self.register_buffer("order", None if nodes is None else _order(nodes, self._logit_nodes()), persistent=False)

    @property
    def taxonomy(self) -> Taxonomy:
        """The label tree."""
        return self.loss.taxonomy

    @property
    def num_outputs(self) -> int:
        """Number of outputs that the model needs."""
        return self.loss.num_outputs

    @property
    def output_names(self) -> list[str]:
        """Path of the node that each output scores; empty for an output without one."""
        nodes = self._logit_nodes()[:, 0]
        if self.order is not None:
            nodes = torch.empty_like(nodes).scatter_(0, self.order.cpu(), nodes)
        return [self.taxonomy.path_name(node) if node >= 0 else "" for node in nodes.tolist()]

    def prediction(self, outputs: Any) -> Prediction:
        """The prediction that outputs stand for.

        Args:
            outputs: Logits ``[batch, num_outputs]`` of a model that was trained with this criterion, or an object that
                has them as ``logits``.

        Raises:
            InputError: The number of outputs is not :attr:`num_outputs`.
        """
        return self.loss.prediction(self._logits(outputs))

    def forward(
        self,
        outputs: Any,
        target: Int[Tensor, " batch"] | Float[Tensor, "batch class"],
        num_items_in_batch: Tensor | float | None = None,
    ) -> Tensor:
        """The loss of a batch, in nats.

        Args:
            outputs: Logits ``[batch, num_outputs]``, or a model's output that has them as ``logits``.
            target: Class index of each image (its node, without ``classes``), or its shares of the classes.
            num_items_in_batch: The sum over the batch is divided by this instead of the batch size: a Hugging Face
                ``Trainer`` passes the number of images of all batches whose gradients it accumulates.

        Raises:
            InputError: The shapes do not fit, or (checked on the CPU only) a target is not a class.
        """
        logits = self._logits(outputs)
        losses = self._shared(logits, target) if target.is_floating_point() else self.loss(logits, self._nodes(target))
        if num_items_in_batch is not None:
            return losses.sum() / torch.as_tensor(num_items_in_batch, device=losses.device).flatten()[0]
        return {"mean": losses.mean, "sum": losses.sum, "none": losses.clone}[self.reduction]()

    def metrics(
        self, names: Sequence[str] = METRICS, *, decision: Decision | str = "leaf", **options: Any
    ) -> MetricCollection:
        """A torchmetrics collection that is updated with the same outputs and targets.

        Args:
            names: Metrics of the documentation.
            decision: The rule that decides the prediction.
            options: Those of :func:`cladewise.metrics.collection`, such as ``prefix="val_"``.
        """
        from cladewise.metrics import collection

        classes = None if self.nodes is None else self.nodes.cpu().numpy()
        given: dict[str, Any] = {"predict": self.prediction, "classes": classes, "decision": decision, **options}
        return collection(names, self.taxonomy, **given)

    def compute_metrics(self, names: Sequence[str] = METRICS, *, decision: Decision | str = "leaf") -> TrainerMetrics:
        """The ``compute_metrics`` of a Hugging Face ``Trainer``, also with ``batch_eval_metrics=True``.

        Args:
            names: Metrics of the documentation.
            decision: The rule that decides the prediction.
        """
        from cladewise.loops.trainer_metrics import TrainerMetrics

        return TrainerMetrics(self.metrics(names, decision=decision, sync_on_compute=False), self.taxonomy.num_nodes)

    def _logit_nodes(self) -> Tensor:
        return self.loss.prediction(torch.zeros(1, self.num_outputs)).logit_nodes.cpu()

    def _logits(self, outputs: Any) -> Tensor:
        logits = getattr(outputs, "logits", outputs)
        if not isinstance(logits, Tensor) or logits.ndim == 0 or logits.shape[-1] != self.num_outputs:
            got = f"shape {list(logits.shape)}" if isinstance(logits, Tensor) else type(outputs).__name__
            advice = f"Give the model {self.num_outputs} outputs: criterion.num_outputs."
            raise InputError(f"logits [batch, {self.num_outputs}]", got, advice=advice)
        return logits if self.order is None else logits[..., self.order.to(logits.device)]

    def _nodes(self, target: Tensor) -> Tensor:
        if self.nodes is None:
            return target
        from cladewise.metrics.streaming.tree_metric import check_classes

        check_classes(target, len(self.nodes))
        return self.nodes.to(target.device)[target]

    def _shared(self, logits: Tensor, shares: Tensor) -> Tensor:
        """The loss of soft targets."""
        num_classes = self.taxonomy.num_nodes if self.nodes is None else len(self.nodes)
        # a mixup of timm has one column per output; those beyond the classes are empty
        if shares.ndim != 2 or len(shares) != len(logits) or shares.shape[1] not in (num_classes, self.num_outputs):
            shape = f"shape {list(shares.shape)}"
            raise InputError(f"class indices [batch] or shares [batch, {num_classes}]", shape)
        image, index = shares.nonzero().unbind(1)
        if len(image) > MOST_CLASSES * len(logits):
            advice = "Smoothed labels share all classes: set the smoothing of mixup to 0, or use a loss that smooths."
            raise InputError(f"soft targets of at most {MOST_CLASSES} classes per image", "more", advice=advice)
        losses = self.loss(logits[image], self._nodes(index)) * shares[image, index]
        return losses.new_zeros(len(logits)).index_add(0, image, losses)


def _order(nodes: Tensor, logit_nodes: Tensor) -> Tensor | None:
    """Position in the outputs of every logit of the loss; ``None``: the same, if a class has no or several logits."""
    if logit_nodes.shape[1] != 1:
        return None
    places: dict[int, list[int]] = {}
    for place, node in enumerate(logit_nodes[:, 0].tolist()):
        places.setdefault(node, []).append(place)
    own = [places.get(node, []) for node in nodes.tolist()]
    if any(len(each) != 1 for each in own):
        return None
    order = torch.full((len(logit_nodes),), -1)
    order[torch.tensor([each[0] for each in own])] = torch.arange(len(own))
    order[order < 0] = torch.arange(len(own), len(order))
    return None if torch.equal(order, torch.arange(len(order))) else order
