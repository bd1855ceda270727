"""Losses: (logits, target) to nats per image. Each is a function, and a module that checks its settings and input."""

from cladewise.losses.flat import FlatSoftmax, flat_softmax
from cladewise.losses.hace import HACE, ancestral_weights, hace
from cladewise.losses.hxe import HXE, hxe
from cladewise.losses.loss import Loss

__all__ = ["HACE", "HXE", "FlatSoftmax", "Loss", "ancestral_weights", "flat_softmax", "hace", "hxe"]
