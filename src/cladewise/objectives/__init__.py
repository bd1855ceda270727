"""Training objectives beyond the mean of a loss: contrast between images, momentum copies, margins, clusters."""

from cladewise.objectives.cosine_margin import CosineMargins, hierarchical_cosine_margin_loss
from cladewise.objectives.counted_edges import CountedEdgesObjective
from cladewise.objectives.graph_contrast import graph_contrast_loss
from cladewise.objectives.hierarchical_contrast import HierarchicalContrastLoss
from cladewise.objectives.margins import CosineMarginObjective
from cladewise.objectives.momentum_contrast import MomentumContrastObjective, Queue
from cladewise.objectives.objective import Objective, TrainingBatch, TrainingVectors, projection_of
from cladewise.objectives.probed import ProbedLoss, ProbedObjective
from cladewise.objectives.pseudo_fine_classes import clusters_wanted, pseudo_fine
from cladewise.objectives.queued_contrast import away_from_class, queued_contrast_loss
from cladewise.objectives.supervised_contrast import Contrast, ContrastiveLoss, SupConLoss, supervised_contrast_loss
from cladewise.objectives.taxon_ssl import TaxonSSLObjective

__all__ = [
    "Contrast",
    "ContrastiveLoss",
    "CosineMarginObjective",
    "CosineMargins",
    "CountedEdgesObjective",
    "HierarchicalContrastLoss",
    "MomentumContrastObjective",
    "Objective",
    "ProbedLoss",
    "ProbedObjective",
    "Queue",
    "SupConLoss",
    "TaxonSSLObjective",
    "TrainingBatch",
    "TrainingVectors",
    "away_from_class",
    "clusters_wanted",
    "graph_contrast_loss",
    "hierarchical_cosine_margin_loss",
    "projection_of",
    "pseudo_fine",
    "queued_contrast_loss",
    "supervised_contrast_loss",
]
