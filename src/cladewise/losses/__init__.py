"""Losses: (logits, target) to nats per image. Each is a function, and a module that checks its settings and input."""

from cladewise.losses.conditional_sigmoid import ConditionalSigmoidLoss, conditional_sigmoid
from cladewise.losses.conditional_softmax import ConditionalSoftmax, conditional_softmax
from cladewise.losses.deep_rtc import DeepRTC, deep_rtc, random_cut_softmax
from cladewise.losses.flat import FlatSoftmax, flat_softmax
from cladewise.losses.hace import HACE, ancestral_weights, hace
from cladewise.losses.hxe import HXE, hxe, tree_hxe
from cladewise.losses.loss import Loss
from cladewise.losses.multilabel import MultilabelFocal, multilabel_focal
from cladewise.losses.ps_softmax import PSSoftmax, ps_softmax

__all__ = [
    "HACE",
    "HXE",
    "ConditionalSigmoidLoss",
    "ConditionalSoftmax",
    "DeepRTC",
    "FlatSoftmax",
    "Loss",
    "MultilabelFocal",
    "PSSoftmax",
    "ancestral_weights",
    "conditional_sigmoid",
    "conditional_softmax",
    "deep_rtc",
    "flat_softmax",
    "hace",
    "hxe",
    "multilabel_focal",
    "ps_softmax",
    "random_cut_softmax",
    "tree_hxe",
]
