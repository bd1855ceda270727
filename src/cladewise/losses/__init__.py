"""Losses: (logits, target) to nats per image. Each is a function, and a module that checks its settings and input."""

from cladewise.losses.adjusted import LogitAdjusted
from cladewise.losses.conditional_sigmoid import ConditionalSigmoidLoss, conditional_sigmoid
from cladewise.losses.conditional_softmax import ConditionalSoftmax, conditional_softmax
from cladewise.losses.contrast import SupCon, supervised_contrast
from cladewise.losses.cosine_margin import CosineMargins, hierarchical_cosine_margin
from cladewise.losses.deep_rtc import DeepRTC, deep_rtc, random_cut_softmax
from cladewise.losses.descendant import DescendantSoftmax, descendant_softmax
from cladewise.losses.distances import read_distances
from cladewise.losses.energies import MaxMarginEnergies
from cladewise.losses.flat import FlatSoftmax, flat_softmax
from cladewise.losses.hace import HACE, ancestral_weights, hace
from cladewise.losses.hace_soft import HACESoft
from cladewise.losses.hierarchical_contrast import HierarchicalContrast
from cladewise.losses.hxe import HXE, hxe, tree_hxe
from cladewise.losses.image_text import ImageTextContrast
from cladewise.losses.levels import LevelSoftmaxLoss
from cladewise.losses.loss import Loss
from cladewise.losses.margin import SoftMaxMargin, margins, soft_max_margin
from cladewise.losses.marginal import MarginalSoftmax, marginal_softmax
from cladewise.losses.multilabel import MultilabelFocal, multilabel_focal
from cladewise.losses.probed import Probed
from cladewise.losses.ps_softmax import PSSoftmax, ps_softmax
from cladewise.losses.queued import away_from_class, queued_contrast
from cladewise.losses.soft_labels import SoftLabels, SoftTargets, soft_targets
from cladewise.losses.soft_margin import MultilabelSoftMargin, inverse_frequency, multilabel_soft_margin
from cladewise.losses.transition import LabelHierarchyTransition

__all__ = [
    "HACE",
    "HXE",
    "ConditionalSigmoidLoss",
    "ConditionalSoftmax",
    "CosineMargins",
    "DeepRTC",
    "DescendantSoftmax",
    "FlatSoftmax",
    "HACESoft",
    "HierarchicalContrast",
    "ImageTextContrast",
    "LabelHierarchyTransition",
    "LevelSoftmaxLoss",
    "LogitAdjusted",
    "Loss",
    "MarginalSoftmax",
    "MaxMarginEnergies",
    "MultilabelFocal",
    "MultilabelSoftMargin",
    "PSSoftmax",
    "Probed",
    "SoftLabels",
    "SoftMaxMargin",
    "SoftTargets",
    "SupCon",
    "ancestral_weights",
    "away_from_class",
    "conditional_sigmoid",
    "conditional_softmax",
    "deep_rtc",
    "descendant_softmax",
    "flat_softmax",
    "hace",
    "hierarchical_cosine_margin",
    "hxe",
    "inverse_frequency",
    "marginal_softmax",
    "margins",
    "multilabel_focal",
    "multilabel_soft_margin",
    "ps_softmax",
    "queued_contrast",
    "random_cut_softmax",
    "read_distances",
    "soft_max_margin",
    "soft_targets",
    "supervised_contrast",
    "tree_hxe",
]
