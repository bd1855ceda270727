"""Losses: (logits, target) to nats per image, as functions and as modules that check their settings and input."""

from cladewise.losses.adjusted import LogitAdjustedLoss
from cladewise.losses.conditional_sigmoid import ConditionalSigmoidLoss, conditional_sigmoid_loss
from cladewise.losses.conditional_softmax import ConditionalSoftmaxLoss, conditional_softmax_loss
from cladewise.losses.deep_rtc import DeepRTCLoss, deep_rtc_loss, random_cut_loss
from cladewise.losses.descendant import DescendantSoftmaxLoss, descendant_softmax_loss
from cladewise.losses.distances import distance_by_lca, read_distances
from cladewise.losses.dual_margin import DualMarginLoss, dual_margin_loss
from cladewise.losses.energy import MaxMarginEnergyLoss
from cladewise.losses.flat import FlatSoftmaxLoss, flat_softmax_loss
from cladewise.losses.hace import HACELoss, ancestral_weights, hace_loss
from cladewise.losses.hace_soft import HACESoftLoss, dilute
from cladewise.losses.hier_cos import HierCOSLoss, basis_weights
from cladewise.losses.hxe import HXELoss, hxe_loss, tree_hxe_loss
from cladewise.losses.image_text import ImageTextContrastLoss
from cladewise.losses.level_softmax import LevelSoftmaxLoss
from cladewise.losses.lht import LHTLoss
from cladewise.losses.loss import Loss
from cladewise.losses.margin import SoftMaxMarginLoss, margins, soft_max_margin_loss
from cladewise.losses.marginal import MarginalSoftmaxLoss, marginal_softmax_loss
from cladewise.losses.multilabel import MultilabelFocalLoss, multilabel_focal_loss
from cladewise.losses.ps_softmax import PSSoftmaxLoss, ps_softmax_loss
from cladewise.losses.soft_labels import SoftLabelLoss, SoftTargets, soft_targets
from cladewise.losses.soft_margin import MultilabelSoftMarginLoss, inverse_frequency, multilabel_soft_margin_loss
from cladewise.losses.tree_path import TreePathLoss

__all__ = [
    "ConditionalSigmoidLoss",
    "ConditionalSoftmaxLoss",
    "DeepRTCLoss",
    "DescendantSoftmaxLoss",
    "DualMarginLoss",
    "FlatSoftmaxLoss",
    "HACELoss",
    "HACESoftLoss",
    "HXELoss",
    "HierCOSLoss",
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
    "SoftLabelLoss",
    "SoftMaxMarginLoss",
    "SoftTargets",
    "TreePathLoss",
    "ancestral_weights",
    "basis_weights",
    "conditional_sigmoid_loss",
    "conditional_softmax_loss",
    "deep_rtc_loss",
    "descendant_softmax_loss",
    "dilute",
    "distance_by_lca",
    "dual_margin_loss",
    "flat_softmax_loss",
    "hace_loss",
    "hxe_loss",
    "inverse_frequency",
    "marginal_softmax_loss",
    "margins",
    "multilabel_focal_loss",
    "multilabel_soft_margin_loss",
    "ps_softmax_loss",
    "random_cut_loss",
    "read_distances",
    "soft_max_margin_loss",
    "soft_targets",
    "tree_hxe_loss",
]
