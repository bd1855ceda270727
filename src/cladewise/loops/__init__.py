"""Losses and metrics for other libraries' training loops, whose targets are class indices of a dataset.

:class:`Criterion` is called as ``torch.nn.CrossEntropyLoss`` is, in a plain loop, in timm, in a Lightning module and in
a Hugging Face ``Trainer``. :func:`class_nodes` finds the node of every class.

Example:
    >>> import torch
    >>> import cladewise as cw
    >>> taxonomy = cw.Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
    >>> criterion = Criterion(cw.losses.HACELoss(taxonomy), classes=["moth", "robin", "wren"])
    >>> model = torch.nn.Linear(8, criterion.num_outputs)
    >>> logits, target = model(torch.randn(4, 8)), torch.tensor([0, 2, 1, 1])
    >>> criterion(logits, target).backward()
    >>> sorted(criterion.metrics(["top1", "severity"])(logits, target))
    ['severity', 'top1']
"""

from cladewise.loops.classes import class_nodes
from cladewise.loops.criterion import Criterion
from cladewise.loops.trainer_metrics import TrainerMetrics

__all__ = ["Criterion", "TrainerMetrics", "class_nodes"]
