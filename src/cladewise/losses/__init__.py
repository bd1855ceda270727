"""Losses: (logits, target) to nats per image. Each is a function, and a module that checks its settings and input."""

from cladewise.losses.adjusted import LogitAdjustedLoss
from cladewise.losses.conditional_sigmoid import ConditionalSigmoidLoss, conditional_sigmoid_loss
from cladewise.losses.conditional_softmax import ConditionalSoftmaxLoss, conditional_softmax_loss
from cladewise.losses.contrast import SupConLoss, supervised_contrast_loss
from cladewise.losses.cosine_margin import CosineMargins, hierarchical_cosine_margin_loss
from cladewise.losses.deep_rtc import DeepRTCLoss, deep_rtc_loss, random_cut_loss
from cladewise.losses.descendant import DescendantSoftmaxLoss, descendant_softmax_loss
from cladewise.losses.distances import read_distances
from cladewise.losses.energies import MaxMarginEnergyLoss
from cladewise.losses.flat import FlatSoftmaxLoss, flat_softmax_loss
from cladewise.losses.hace import HACELoss, ancestral_weights, hace_loss
from cladewise.losses.hace_soft import HACESoftLoss
from cladewise.losses.hierarchical_contrast import HierarchicalContrastLoss
from cladewise.losses.hxe import HXELoss, hxe_loss, tree_hxe_loss
from cladewise.losses.image_text import ImageTextContrastLoss
from cladewise.losses.levels import LevelSoftmaxLoss
from cladewise.losses.loss import Loss
from cladewise.losses.margin import SoftMaxMarginLoss, margins, soft_max_margin_loss
from cladewise.losses.marginal import MarginalSoftmaxLoss, marginal_softmax_loss
from cladewise.losses.multilabel import MultilabelFocalLoss, multilabel_focal_loss
from cladewise.losses.probed import ProbedLoss
from cladewise.losses.ps_softmax import PSSoftmaxLoss, ps_softmax_loss
from cladewise.losses.queued import away_from_class, queued_contrast_loss
from cladewise.losses.soft_labels import SoftLabelLoss, SoftTargets, soft_targets
from cladewise.losses.soft_margin import MultilabelSoftMarginLoss, inverse_frequency, multilabel_soft_margin_loss
from cladewise.losses.transition import LHTLoss

__all__ = [
    "ConditionalSigmoidLoss",
    "ConditionalSoftmaxLoss",
    "CosineMargins",
    "DeepRTCLoss",
    "DescendantSoftmaxLoss",
    "FlatSoftmaxLoss",
    "HACELoss",
    "HACESoftLoss",
    "HXELoss",
    "HierarchicalContrastLoss",
    "ImageTextContrastLoss",
    "LHTLoss",
    "LevelSoftmaxLoss",
    "LogitAdjustedLoss",
    "Loss",
    "MarginalSoftmaxLoss",
    "MaxMarginEnergyLoss",
    "MultilabelFocalLoss",
    "MultilabelSoftMarginLoss",
    "PSSoftmaxLoss",
    "ProbedLoss",
    "SoftLabelLoss",
    "SoftMaxMarginLoss",
    "SoftTargets",
    "SupConLoss",
    "ancestral_weights",
    "away_from_class",
    "conditional_sigmoid_loss",
    "conditional_softmax_loss",
    "deep_rtc_loss",
    "descendant_softmax_loss",
    "flat_softmax_loss",
    "hace_loss",
    "hierarchical_cosine_margin_loss",
    "hxe_loss",
    "inverse_frequency",
    "marginal_softmax_loss",
    "margins",
    "multilabel_focal_loss",
    "multilabel_soft_margin_loss",
    "ps_softmax_loss",
    "queued_contrast_loss",
    "random_cut_loss",
    "read_distances",
    "soft_max_margin_loss",
    "soft_targets",
    "supervised_contrast_loss",
    "tree_hxe_loss",
]
